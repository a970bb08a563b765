"""`tools` of `ai-chat-completions`: rounds of calls and results, on a service that says what the test wants."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from langstream.agents.ai.chat_completions import AGENT
from langstream.agents.custom.code import remove
from langstream.errors import AgentFailed, RecordError
from langstream.records import SimpleRecord
from langstream.sdk.contract import Place
from langstream.services.ai.contract import Chunk, Message, ToolCall, Usage

Bench: TypeAlias = Any

CODE = '''
import asyncio, sys, threading, time

BARRIER = threading.Barrier(2)


def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.
    """
    return a + b


async def later(text: str) -> dict:
    """Answer later."""
    await asyncio.sleep(0)
    return {"said": text}


def meet(name: str) -> str:
    """Wait until two are there."""
    BARRIER.wait(30)
    return f"{name} met"


def fail(reason: str) -> str:
    """Fail."""
    raise ValueError(reason)


def leave() -> str:
    """Try to end the process."""
    sys.exit(3)


CANCELLED = threading.Event()


async def endless() -> str:
    """Never answer."""
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        CANCELLED.set()
        raise
    return ""


def cancelled() -> bool:
    """Whether it was."""
    return CANCELLED.wait(30)


def big() -> str:
    """Say a lot."""
    return "x" * 100_000


def odd() -> object:
    """Give what is no JSON."""
    return object()


def whose(record, more: str = "") -> str:
    """Tell whose record it is."""
    return f"{record.key()}{more}"


def undescribed(a: int) -> int:
    return a


def größer(a: int) -> int:
    """Grow."""
    return a + 1


class CityGuide:
    """Know cities."""

    def init(self, config):
        self.country = config["country"]

    async def start(self):
        self.started = True

    def call(self, city: str) -> str:
        return f"{city} in {self.country}, {self.started}"
'''

RECORD = SimpleRecord('{"q":"?"}', "k1", [("sid", "9")])


@pytest.fixture
def code(bench: Bench, tmp_path: Path) -> Any:
    """The bench with an application's code."""
    folder = tmp_path / "python"
    folder.mkdir()
    (folder / "toolshed.py").write_text(CODE, encoding="utf-8")
    bench.surroundings = {"code_directory": tmp_path}
    yield bench
    remove(tmp_path)


def wants(*calls: tuple[str, Any], text: str = "") -> list[Chunk]:
    """A turn of the model that makes these calls."""
    made = tuple(
        ToolCall(f"c{number}", name, arguments if isinstance(arguments, str) else json.dumps(arguments))
        for number, (name, arguments) in enumerate(calls)
    )
    chunks = [Chunk(text, "id")] if text else []
    return [
        *chunks,
        Chunk("", "id", True, usage=Usage(3, 2), tool_calls=made, thoughts=({"t": 1},), finish="tool-calls"),
    ]


def says(text: str) -> list[Chunk]:
    return [Chunk(text, "id", last=True, usage=Usage(3, 2), finish="stop")]


def functions(*names: str, **options: Any) -> dict[str, Any]:
    tools = [{"type": "python", "function": f"toolshed.{name}"} for name in names]
    return {"model": "m", "messages": [{"role": "user", "content": "go"}], "tools": tools, **options}


async def outcome(bench: Bench, configuration: dict[str, Any]) -> Any:
    agent = await bench.start(AGENT, configuration)
    (only,) = await agent.process_batch([RECORD])
    return only


def results(bench: Bench, turn: int = -1) -> list[Message]:
    """The results of tools that the model was shown in a turn."""
    return [message for message in bench.service.conversations[turn] if message.role == "tool"]


async def result(bench: Bench, name: str, arguments: Any, **options: Any) -> Message:
    """What the model is told about one call."""
    bench.service.script = [wants((name, arguments)), says("done")]
    records = await outcome(bench, functions(name, **options))
    assert isinstance(records, list), records
    (only,) = results(bench)
    return only


async def test_a_call_is_made_and_its_result_told(code: Bench) -> None:
    code.service.script = [wants(("add", {"a": 2, "b": 3}), text="Let me add."), says("It is 5.")]
    (record,) = await outcome(code, functions("add"))
    assert record.value() == "It is 5."
    (tool,) = code.service.options[0].tools
    assert (tool.name, tool.description) == ("add", "Add two numbers.")
    assert tool.parameters["properties"]["a"] == {"type": "integer", "description": "The first."}
    first, second = code.service.conversations
    call = ToolCall("c0", "add", '{"a": 2, "b": 3}')
    assert second == [
        *first,
        Message("Let me add.", "assistant", (call,), ({"t": 1},)),
        Message("5", "tool", tool_call=call),
    ]


async def test_coroutines_answer_too_and_structures_become_json(code: Bench) -> None:
    assert (await result(code, "later", {"text": "hi"})).content == '{"said":"hi"}'


async def test_calls_of_one_turn_are_made_at_the_same_time_and_answered_in_order(code: Bench) -> None:
    code.service.script = [wants(("meet", {"name": "Ann"}), ("meet", {"name": "Bob"})), says("done")]
    await outcome(code, functions("meet"))
    assert [message.content for message in results(code)] == ["Ann met", "Bob met"]


async def test_rounds_follow_each_other_until_the_model_answers(code: Bench) -> None:
    code.service.script = [wants(("add", {"a": number})) for number in range(3)]
    code.service.script.append(says("done"))
    await outcome(code, functions("add", **{"max-tool-rounds": 3}))
    assert [message.content for message in results(code)] == ["1", "2", "3"]
    assert code.metrics.values["openai_chat_completions_num_calls"] == 4


async def test_a_model_that_never_stops_fails_the_record(code: Bench) -> None:
    code.service.script = [wants(("add", {"a": 1})) for _ in range(5)]
    failed = await outcome(code, functions("add", **{"max-tool-rounds": 2}))
    assert isinstance(failed, RecordError)
    assert "still calls tools after 2 rounds (add)" in str(failed)
    assert len(code.service.calls) == 3


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("fail", {"reason": "no luck"}, "ValueError: no luck"),
        ("fail", {}, "reason: Field required"),
        ("add", {"a": "two"}, "a: Input should be a valid integer"),
        ("add", "{", "not JSON"),
        ("add", "[1]", "must be a JSON object"),
        ("leave", {}, "SystemExit"),
        ("odd", {}, "neither text nor JSON"),
    ],
)
async def test_a_call_that_fails_is_told_and_the_record_lives(
    code: Bench, name: str, arguments: Any, words: str
) -> None:
    told = await result(code, name, arguments)
    assert told.failed
    assert words in told.content


async def test_a_tool_that_is_not_there_is_told_with_those_that_are(code: Bench) -> None:
    code.service.script = [wants(("ad", {"a": 1})), says("done")]
    await outcome(code, functions("add", "later"))
    (told,) = results(code)
    assert told.failed
    assert "there is no tool 'ad'" in told.content
    assert "There are: add, later." in told.content


async def test_a_coroutine_that_takes_too_long_is_cancelled_and_the_model_told(code: Bench) -> None:
    code.service.script = [wants(("endless", {})), wants(("cancelled", {})), says("done")]
    configuration = functions("endless", "cancelled")
    configuration["tools"][0]["timeout-seconds"] = 0.5
    await outcome(code, configuration)
    told, afterwards = results(code)
    assert told.failed
    assert "did not answer within 0.5 s" in told.content
    assert afterwards.content == "true"


async def test_long_results_are_cut_off(code: Bench) -> None:
    told = await result(code, "big", {}, **{"max-tool-result-characters": 10})
    assert told.content == "xxxxxxxxxx\n(cut off: these are 10 of 100000 characters)"


async def test_a_function_may_see_the_record(code: Bench) -> None:
    assert (await result(code, "whose", {"more": "!"})).content == "k1!"
    assert list(code.service.options[0].tools[0].parameters["properties"]) == ["more"]


async def test_an_object_has_a_life_with_its_agent(code: Bench) -> None:
    code.service.script = [wants(("city_guide", {"city": "Rome"})), says("done")]
    tools = [{"type": "python", "className": "toolshed.CityGuide", "configuration": {"country": "Italy"}}]
    await outcome(code, {**functions(), "tools": tools})
    assert results(code)[0].content == "Rome in Italy, True"
    assert code.service.options[0].tools[0].description == "Know cities."


async def test_name_description_and_parameters_may_be_given(code: Bench) -> None:
    code.service.script = [wants(("plus", {"a": 1, "b": "x"})), wants(("plus", {"a": 1, "b": 2})), says("done")]
    schema = {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}
    tool = {"type": "python", "function": "toolshed.add", "name": "plus", "description": "Sum.", "parameters": schema}
    await outcome(code, {**functions(), "tools": [tool]})
    told = results(code)
    assert [message.failed for message in told] == [True, False]
    assert "$.b: 'x' is not of type 'number'" in told[0].content
    offered = code.service.options[0].tools[0]
    assert (offered.name, offered.description, offered.parameters) == ("plus", "Sum.", schema)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["nothing_like_it"], "no function 'nothing_like_it'"),
        (["undescribed"], "no docstring.*give `description`"),
        (["CityGuide"], "expected a function"),
        (["add", "add"], "two tools are named 'add'"),
        (["größer"], "no tool can be named 'größer'"),
    ],
)
async def test_tools_that_cannot_be_keep_the_agent_from_starting(code: Bench, names: list[str], words: str) -> None:
    with pytest.raises(AgentFailed, match=words):
        await code.start(AGENT, functions(*names))


async def test_calls_are_kept_in_the_record_on_request(code: Bench) -> None:
    code.service.script = [wants(("add", {"a": 2}), ("fail", {"reason": "x"})), says("done")]
    options = {"tool-log-field": "value.calls", "completion-field": "value.answer"}
    (record,) = await outcome(code, functions("add", "fail", **options))
    first, second = json.loads(record.value())["calls"]
    assert first.pop("milliseconds") >= 0
    assert first == {"round": 1, "name": "add", "arguments": {"a": 2}, "result": "3", "failed": False}
    assert (second["failed"], second["result"]) == (True, "ValueError: x")


async def test_calls_are_counted_and_logged_without_their_arguments(
    code: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    code.service.script = [wants(("add", {"a": 777}), ("fail", {"reason": "x"}), ("nope", {})), says("done")]
    await outcome(code, functions("add", "fail"))
    counted = {name: count for name, count in code.metrics.values.items() if name.startswith("tool_")}
    assert counted == {
        "tool_add_num_calls": 1,
        "tool_fail_num_calls": 1,
        "tool_fail_num_errors": 1,
        "tool_unknown_num_calls": 1,
        "tool_unknown_num_errors": 1,
    }
    lines = [message for message in caplog.messages if "tool" in message]
    assert any("tool 'add' answered after" in line for line in lines)
    assert any("tool 'fail' failed after" in line for line in lines)
    assert "777" not in "".join(lines)


async def test_a_tool_that_must_be_called_must_be_called_once(code: Bench) -> None:
    code.service.script = [wants(("add", {"a": 1})), says("done")]
    await outcome(code, functions("add", **{"tool-choice": "add"}))
    assert [options.tool_choice for options in code.service.options] == ["add", "auto"]


async def test_all_rounds_are_one_stream_which_ends_once(code: Bench) -> None:
    code.service.script = [wants(("add", {"a": 1}), text="Hm. "), [Chunk("It is", "b"), Chunk(" 2.", "b", last=True)]]
    await outcome(code, functions("add", **{"stream-to-topic": "pieces", "min-chunks-per-message": 1}))
    pieces = [(record.value(), dict(record.headers())) for record in code.topics.sent["pieces"]]
    assert [(text, headers["stream-last-message"]) for text, headers in pieces] == [
        ("Hm. ", "false"),
        ("It is", "false"),
        (" 2.", "true"),
    ]
    assert {headers["stream-id"] for _, headers in pieces} == {"id"}


async def test_tools_and_structure_go_together(code: Bench) -> None:
    code.service.script = [wants(("add", {"a": 1})), says("two"), wants(("add", {"a": 1})), says('{"sum":2}')]
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
    (record,) = await outcome(code, functions("add", **{"response-schema": schema}))
    assert json.loads(record.value()) == {"sum": 2}
    assert [message.content for message in results(code)] == ["2", "2"]


async def test_a_record_that_comes_again_takes_the_turns_of_the_model_from_the_journal(
    code: Bench, tmp_path: Path
) -> None:
    code.directory = tmp_path / "state"
    code.directory.mkdir()
    code.service.script = [wants(("add", {"a": 1}), text="Hm."), says("It is 2.")]
    options = {"tool-log-field": "value.calls", "completion-field": "value.a"}
    for _ in range(2):
        agent = await code.start(AGENT, functions("add", **options))
        ((record,),) = await agent.process_placed([RECORD], [Place("in", 0, 7)])
        value = json.loads(record.value())
        assert (value["a"], value["calls"][0]["result"]) == ("It is 2.", "2")
        await code.close()
    assert len(code.service.calls) == 2


async def test_many_records_call_at_the_same_time(code: Bench) -> None:
    agent = await code.start(AGENT, functions("meet"))
    code.service.script = [wants(("meet", {"name": "Ann"})), wants(("meet", {"name": "Bob"})), says("a"), says("b")]
    done = await asyncio.gather(*(agent.process_batch([RECORD]) for _ in range(2)))
    assert sorted(records[0].value() for (records,) in done) == ["a", "b"]
