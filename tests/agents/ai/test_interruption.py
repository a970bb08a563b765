"""Calls that are cancelled because nobody waits for the answer: what is left of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from langstream.agents.ai.chat_completions import AGENT
from langstream.agents.ai.embeddings import AGENT as EMBEDDINGS
from langstream.agents.ai.text_completions import AGENT as TEXT
from langstream.agents.web.http_request import AGENT as HTTP
from langstream.agents.web.langserve_invoke import AGENT as LANGSERVE
from langstream.errors import BrokerUnavailable, ServiceError
from langstream.records import Record, SimpleRecord, header
from langstream.sdk.contract import CANCELLED, Place
from langstream.services.ai.contract import Chunk, ToolCall, Usage

Bench: TypeAlias = Any

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "{{ value.q }}"}],
    "completion-field": "value.answer",
    "stream-to-topic": "st",
    "stream-response-completion-field": "value",
    "min-chunks-per-message": 1,
}


class Slow:
    """A model that says some pieces, and then nothing until it may go on."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.waiting = asyncio.Event()
        self.go_on = asyncio.Event()
        self.calls = self.closed = 0

    async def __call__(self, *_: Any, **__: Any) -> AsyncGenerator[Chunk, None]:
        self.calls += 1
        try:
            for text in self.texts:
                yield Chunk(text, "id1")
            self.waiting.set()
            await self.go_on.wait()
            yield Chunk("end", "id1", last=True, usage=Usage(1, 1))
        finally:
            self.closed += 1


def asking(agent: Any, offset: int = 0, question: str = "x") -> asyncio.Task[Any]:
    record = SimpleRecord(json.dumps({"q": question}), "k", [("sid", "9")])
    return asyncio.create_task(agent.process_placed([record], [Place("in", 0, offset)]))


async def interrupted(call: asyncio.Task[Any], reason: str | None = CANCELLED) -> None:
    """As the runtime does it, and with its reason."""
    call.cancel(reason)
    with pytest.raises(asyncio.CancelledError):
        await call


def ends(bench: Bench) -> list[tuple[Any, str | None, str | None]]:
    return [
        (
            record.value(),
            header(record.headers(), "stream-last-message"),
            header(record.headers(), "stream-cancelled"),
        )
        for record in bench.topics.sent.get("st", [])
    ]


async def test_readers_of_a_stream_get_its_end_and_that_it_is_none(bench: Bench) -> None:
    bench.service.chat = slow = Slow("a", "b")
    call = asking(await bench.start(AGENT, {**CHAT, "min-chunks-per-message": 4}))
    await slow.waiting.wait()
    await interrupted(call)
    assert ends(bench) == [("a", "false", None), ("b", "true", "true")]
    assert slow.closed == 1


async def test_a_stream_of_which_nobody_has_seen_anything_has_no_end(bench: Bench) -> None:
    bench.service.chat = slow = Slow()
    call = asking(await bench.start(AGENT, CHAT))
    await slow.waiting.wait()
    await interrupted(call)
    assert ends(bench) == []


async def test_when_the_node_stops_the_stream_is_not_ended_for_it_will_come_again(bench: Bench) -> None:
    bench.service.chat = slow = Slow("a")
    call = asking(await bench.start(AGENT, CHAT))
    await slow.waiting.wait()
    await interrupted(call, None)
    assert ends(bench) == [("a", "false", None)]


async def test_a_broker_that_is_away_or_silent_does_not_keep_the_record(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langstream.agents.ai.chunks.FAREWELL_SECONDS", 0.01)
    agent = await bench.start(AGENT, CHAT)
    for broken in (BrokerUnavailable("gone"), None):
        bench.service.chat = slow = Slow("a")
        call = asking(agent)
        await slow.waiting.wait()
        if broken is not None:
            bench.topics.fail.append(broken)
        else:

            async def silent(topic: str, records: list[Record]) -> None:
                await asyncio.Event().wait()

            monkeypatch.setattr(bench.topics, "send", silent)
        await interrupted(call)
    assert [last for _, last, _ in ends(bench)] == ["false", "false"]


async def test_nothing_is_remembered_of_it(bench: Bench, tmp_path: Path) -> None:
    """Neither conversation nor cache nor journal: the next question sees nothing, and a repeated one is asked."""
    bench.directory = tmp_path
    agent = await bench.start(AGENT, {**CHAT, "memory": {}, "cache": {}})
    bench.service.chat = slow = Slow("a")
    call = asking(agent, question="same")
    await slow.waiting.wait()
    await interrupted(call)
    del bench.service.chat
    await asking(agent, offset=0, question="same")
    await asking(agent, offset=1, question="other")
    assert bench.service.calls == [
        [("user", "same")],
        [("user", "same"), ("assistant", "echo(same)"), ("user", "other")],
    ]
    values = bench.metrics.values
    assert (values["ai_cache_hits"], values["ai_journal_hits"]) == (0, 0)


async def test_an_answer_that_was_streamed_to_its_end_is_told_until_the_agent_is_done_with_it(
    bench: Bench, tmp_path: Path
) -> None:
    """Conversation memory is written after it: by then its reader may have left."""
    bench.directory = tmp_path
    agent = await bench.start(AGENT, {**CHAT, "memory": {}})
    record = SimpleRecord(json.dumps({"q": "x"}), "k")
    told = []
    keep = agent._models.memory.add

    async def noted(*arguments: Any) -> None:
        told.append((agent.is_told(record), agent.is_told(SimpleRecord("another"))))
        await keep(*arguments)

    agent._models.memory.add = noted
    assert not agent.is_told(record)
    await agent.process_placed([record], [Place("in", 0, 0)])
    assert told == [(True, False)]
    assert not agent.is_told(record)


async def test_others_who_asked_the_same_get_the_answer_of_the_call(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "cache": {}})
    bench.service.chat = slow = Slow("a")
    first, second = asking(agent), asking(agent, offset=1)
    await slow.waiting.wait()
    await asyncio.sleep(0)
    await interrupted(first)
    assert slow.closed == 0
    slow.go_on.set()
    ((result,),) = await second
    assert json.loads(result.value())["answer"] == "aend"
    assert slow.calls == 1


async def test_who_waits_for_the_budget_gives_up_the_turn_and_spends_nothing(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "requests-per-minute": 1})
    await asking(agent)
    waiting = asking(agent, offset=1)
    for _ in range(10):
        await asyncio.sleep(0)
    await interrupted(waiting)
    assert len(bench.service.calls) == 1
    budget = agent._models._asker.__self__.budget
    assert not budget._turn.locked()
    assert len(budget._spent) == 1


async def test_no_other_service_is_asked_in_its_place(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "ai-service": "brain", "fallback": [{"ai-service": "second"}]})
    bench.service.chat = slow = Slow()
    call = asking(agent)
    await slow.waiting.wait()
    await interrupted(call)
    assert bench.second.calls == []
    del bench.service.chat
    await asking(agent, offset=1)
    assert len(bench.service.calls) == 1  # nothing is held against it


async def test_while_an_answer_is_repaired_both_streams_are_ended(bench: Bench) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    agent = await bench.start(AGENT, {**CHAT, "response-schema": schema})
    slow = Slow("{")

    async def chat(*arguments: Any, **options: Any) -> AsyncGenerator[Chunk, None]:
        if not slow.calls:
            slow.calls += 1
            for chunk in (Chunk("no", "id0"), Chunk(" schema", "id0", last=True, usage=Usage(1, 1))):
                yield chunk
            return
        async for chunk in slow():
            yield chunk

    bench.service.chat = chat
    call = asking(agent)
    await slow.waiting.wait()
    await interrupted(call)
    marks = [
        (header(record.headers(), "stream-id"), header(record.headers(), "stream-cancelled"))
        for record in bench.topics.sent["st"]
    ]
    assert marks == [("id0", None), ("id1", None), ("id1", "true"), ("id0", "true")]


async def test_tools_that_are_called_for_it_end(bench: Bench) -> None:
    left = asyncio.Event()
    entered = asyncio.Event()

    class Listener:
        async def read(self, most: int, seconds: float) -> list[Record]:
            await asyncio.sleep(3600)
            return []

        async def close(self) -> None:
            """Nothing."""

    async def listen(topic: str) -> Listener:
        return Listener()

    bench.surroundings = {"listen": listen}
    topics = {"input-topic": "i", "output-topic": "o"}
    tool = {"type": "pipeline", "name": "look", "description": "Look.", "parameters": {"type": "object"}, **topics}
    agent = await bench.start(AGENT, {**CHAT, "tools": [tool]})
    box = agent._caller.boxes[0]
    waiting = box.call

    async def watched(*arguments: Any) -> str:
        entered.set()
        try:
            return str(await waiting(*arguments))
        finally:
            left.set()

    box.call = watched
    wanted = Chunk("", "id1", last=True, tool_calls=(ToolCall("1", "look", "{}"), ToolCall("2", "look", "{}")))
    bench.service.script = [[Chunk("Let me see.", "id1"), wanted]]
    call = asking(agent)
    await entered.wait()
    await interrupted(call)
    assert left.is_set()
    assert box._waiting == {}
    assert len(bench.service.calls) == 1
    assert ends(bench) == [("Let me see.", "false", None), ("", "true", "true")]


async def test_there_is_no_further_attempt(bench: Bench) -> None:
    """Attempts for an answer that broke off."""
    agent = await bench.start(AGENT, {**CHAT, "stream-to-topic": ""})
    calls = 0
    again = asyncio.Event()

    async def chat(*arguments: Any, **options: Any) -> AsyncGenerator[Chunk, None]:
        nonlocal calls
        calls += 1
        yield Chunk("a", "id1")
        if calls == 2:
            again.set()
            await asyncio.Event().wait()
        raise ServiceError("broke off", category="transient")

    bench.service.chat = chat
    call = asking(agent)
    await again.wait()
    await interrupted(call)
    assert calls == 2


@pytest.mark.parametrize(
    ("agent", "options", "expected"),
    [
        (AGENT, CHAT, True),
        (TEXT, {"model": "m", "prompt": ["x"], "completion-field": "value.a"}, True),
        (EMBEDDINGS, {"text": "x", "embeddings-field": "value.e"}, True),
        (LANGSERVE, {"url": "http://localhost/invoke", "output-field": "value"}, True),
        (HTTP, {"url": "http://localhost/", "output-field": "value"}, True),
        (HTTP, {"url": "http://localhost/", "output-field": "value", "method": "POST"}, False),
    ],
)
def test_agents_that_only_ask_can_be_interrupted(agent: Any, options: dict[str, Any], expected: bool) -> None:
    assert agent.create(agent.configuration.model_validate(options)).interruptible is expected
