"""`ai-chat-completions`, fact by fact, on a service that echoes."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import pytest
from pydantic import ValidationError

from langstream.agents.ai.chat_completions import AGENT
from langstream.errors import RecordError
from langstream.records import Document, SimpleRecord
from langstream.templates import TemplateError

Bench: TypeAlias = Any

Q1 = SimpleRecord('{"q":"the car","n":1}', "k1", [("sid", "9")], "in", 5)
C2 = SimpleRecord("text", "k", [("p", "1")])
HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


async def outcome(bench: Bench, configuration: dict[str, Any], record: SimpleRecord = Q1) -> Any:
    agent = await bench.start(AGENT, configuration)
    (only,) = await agent.process_batch([record])
    return only


async def result(bench: Bench, configuration: dict[str, Any], record: SimpleRecord = Q1) -> SimpleRecord:
    records = await outcome(bench, configuration, record)
    assert isinstance(records, list), records
    (only,) = records
    assert isinstance(only, SimpleRecord)
    return only


async def test_the_answer_becomes_the_value(bench: Bench) -> None:
    answered = await result(bench, {"model": "m", "messages": [{"role": "user", "content": "Q {{ value.q }}"}]})
    assert answered == SimpleRecord("echo(Q the car)", "k1", [("sid", "9")], "in", 5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("value.answer", {"q": "the car", "n": 1, "answer": "echo(hello)"}),
        ("value.a.b", {"q": "the car", "n": 1, "a.b": "echo(hello)"}),
        ("value.a-b", {"q": "the car", "n": 1, "a-b": "echo(hello)"}),
    ],
)
async def test_the_answer_goes_to_a_field_of_the_value(bench: Bench, name: str, value: dict[str, Any]) -> None:
    answered = await result(bench, {**HELLO, "completion-field": name})
    assert json.loads(answered.value()) == value


async def test_the_answer_goes_to_the_key(bench: Bench) -> None:
    answered = await result(bench, {**HELLO, "completion-field": "key"})
    assert (answered.key(), answered.value()) == ("echo(hello)", Q1.value())


async def test_the_answer_goes_to_a_header(bench: Bench) -> None:
    answered = await result(bench, {**HELLO, "completion-field": "properties.answer"})
    assert answered.headers() == [("sid", "9"), ("answer", "echo(hello)")]
    assert answered.value() == Q1.value()


async def test_text_is_answered_with_text(bench: Bench) -> None:
    assert (await result(bench, HELLO, C2)).value() == "echo(hello)"


async def test_bytes_stay_bytes(bench: Bench) -> None:
    answered = await result(bench, {**HELLO, "completion-field": "value.answer"}, SimpleRecord(b'{"q":1}'))
    assert answered.value() == b'{"q":1,"answer":"echo(hello)"}'


async def test_plain_bytes_pass(bench: Bench) -> None:
    assert (await result(bench, HELLO, SimpleRecord(b"plain"))).value() == "echo(hello)"


async def test_a_native_map_is_seen_like_parsed_json(bench: Bench) -> None:
    configuration = {"model": "m", "messages": [{"content": "{{ value.q }}"}], "completion-field": "value.a"}
    answered = await result(bench, configuration, SimpleRecord({"q": 1}))
    assert answered.value() == {"q": 1, "a": "echo(1)"}


@pytest.mark.parametrize("record", [C2, SimpleRecord(None)])
async def test_a_field_of_what_has_none_fails_the_record(bench: Bench, record: SimpleRecord) -> None:
    failed = await outcome(bench, {**HELLO, "completion-field": "value.answer"}, record)
    assert isinstance(failed, RecordError)
    assert "not structured" in str(failed)


async def test_a_missing_variable_fails_the_record_without_a_call(bench: Bench) -> None:
    failed = await outcome(bench, {"model": "m", "messages": [{"content": "{{ value.zz }}"}]})
    assert isinstance(failed, TemplateError)
    assert bench.service.calls == []


async def test_the_first_spelling_of_templates_still_works(bench: Bench) -> None:
    answered = await result(bench, {"model": "m", "messages": [{"content": "Describe {{% value.q }} please"}]})
    assert answered.value() == "echo(Describe the car please)"


async def test_messages_are_sent_with_their_roles_and_options(bench: Bench) -> None:
    messages = [{"role": "system", "content": "Speak {{ properties.sid }}"}, {"content": "{{{ value.q }}}"}]
    await result(bench, {"model": "m", "messages": messages, "max-tokens": "5", "stop": ["x"], "options": {"a": 1}})
    assert bench.service.calls == [[("system", "Speak 9"), (None, "the car")]]
    assert bench.service.models == ["m"]
    (options,) = bench.service.options
    assert (options.max_tokens, options.stop, options.extra, options.temperature) == (5, ["x"], {"a": 1}, None)


async def test_records_for_which_the_condition_is_false_pass_without_a_call(bench: Bench) -> None:
    configuration = {**HELLO, "when": "value.n == 2"}
    assert await result(bench, configuration) is Q1
    assert bench.service.calls == []


async def test_an_empty_answer_is_stored(bench: Bench) -> None:
    from langstream.services.ai.contract import Chunk

    bench.service.script = [[Chunk("", "a", last=True)]]
    assert (await result(bench, HELLO)).value() == ""


async def test_the_log_field_holds_options_messages_and_model_in_order(bench: Bench) -> None:
    configuration = {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi {{value.q}}"}],
        "completion-field": "value.answer",
        "log-field": "value.log",
    }
    answered = await result(bench, configuration)
    value = json.loads(answered.value())
    assert list(value) == ["q", "n", "answer", "log"]
    assert value["log"] == (
        '{"options":{"type":"ai-chat-completions","when":null,"model":"m","messages":[{"role":"user",'
        '"content":"Hi {{value.q}}"}],"stream-to-topic":null,"stream-response-completion-field":null,'
        '"min-chunks-per-message":20,"completion-field":"value.answer","stream":true,"log-field":"value.log",'
        '"max-tokens":null,"temperature":null,"top-p":null,"logit-bias":null,"user":null,"stop":null,'
        '"presence-penalty":null,"frequency-penalty":null,"options":null},'
        '"messages":[{"role":"user","content":"Hi the car"}],"model":"m"}'
    )


async def test_a_log_inside_a_value_that_the_answer_replaced_fails(bench: Bench) -> None:
    assert isinstance(await outcome(bench, {**HELLO, "log-field": "value.log"}), RecordError)


async def test_tokens_and_calls_are_counted_under_the_names_of_the_platform(bench: Bench) -> None:
    await result(bench, HELLO)
    assert bench.metrics.values == {
        "openai_chat_completions_num_calls": 1,
        "openai_chat_completions_prompt_tokens": 3,
        "openai_chat_completions_completions_tokens": 2,
        "openai_chat_completions_total_tokens": 5,
    }


async def test_the_service_is_started_shown_and_closed(bench: Bench) -> None:
    agent = await bench.start(AGENT, HELLO)
    assert bench.service.started == 1
    assert agent.info() == {
        "model": "m",
        "ai-service": "brain",
        "ai-service-type": "open-ai-configuration",
        "ai-service-summary": "a stub",
    }
    await agent.close()
    assert bench.service.closed == 1


def test_it_is_fed_one_record_at_a_time_many_at_once_in_order_of_their_keys() -> None:
    agent = AGENT.create(AGENT.configuration.model_validate(HELLO))  # type: ignore[union-attr]
    assert (agent.batching.max_records, agent.batching.ordering) == (1, "serial")  # type: ignore[union-attr]
    assert agent.batching.concurrency >= 1000  # type: ignore[union-attr]


def test_an_option_limits_the_answers_under_way() -> None:
    agent = AGENT.create(AGENT.configuration.model_validate({**HELLO, "concurrency": 8}))  # type: ignore[union-attr]
    assert agent.batching.concurrency == 8  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"messages": [{"role": "user"}]}, "content"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"content": "{{# open }}"}]}, "not a valid template"),
        ({"model": None}, "model"),
        ({"completion-field": "foo"}, "not a place for a result"),
        ({"when": "bad ("}, "not a valid expression"),
        ({"min-chunks-per-message": 0}, "min-chunks-per-message"),
        ({"temprature": 1}, "temprature"),
    ],
)
def test_bad_options_are_refused(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        AGENT.configuration.model_validate({**HELLO, **changed})  # type: ignore[union-attr]


async def test_the_source_record_is_left_as_it_was(bench: Bench) -> None:
    record = SimpleRecord('{"q":"x"}')
    before = record.parsed_value()
    await result(bench, {**HELLO, "completion-field": "value.answer"}, record)
    assert record.parsed_value() is before
    assert before == Document({"q": "x"})
