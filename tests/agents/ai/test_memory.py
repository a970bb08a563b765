"""Conversation memory: what the model is told of the past, and what it is not told twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from langstream.agents.ai.chat_completions import AGENT
from langstream.agents.ai.memory import Memory, MemoryOptions, Turn, session_of, with_history
from langstream.agents.ai.state_file import StateFile
from langstream.errors import ServiceError
from langstream.records import SimpleRecord
from langstream.sdk.contract import Place
from langstream.services.ai.contract import Chunk, Message

Bench: TypeAlias = Any

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "Q: {{ value.q }}"}],
    "completion-field": "value.answer",
    "memory": {},
}
SYSTEM = ("system", "be brief")


@pytest.fixture
def bench(bench: Bench, tmp_path: Path) -> Bench:
    """With a directory for state."""
    bench.directory = tmp_path
    return bench


async def say(agent: Any, offset: int, question: str, key: str | None = "k", session: str = "s1") -> Any:
    record = SimpleRecord(json.dumps({"q": question}), key, [("sid", session)])
    (outcome,) = await agent.process_placed([record], [Place("in", 0, offset)])
    return outcome


def turn(question: str, marked: bool = True) -> list[tuple[str, str]]:
    return [("user", f"Q: {question}" if marked else question), ("assistant", f"echo(Q: {question})")]


async def test_the_past_stands_behind_the_system_messages(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    for offset, question in enumerate(("one", "two", "three")):
        await say(agent, offset, question)
    assert bench.service.calls[0] == [SYSTEM, ("user", "Q: one")]
    assert bench.service.calls[2] == [SYSTEM, *turn("one"), *turn("two"), ("user", "Q: three")]


async def test_every_key_has_a_conversation_of_its_own(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    await say(agent, 0, "one", "k1")
    await say(agent, 1, "two", "k2")
    assert bench.service.calls[1] == [SYSTEM, ("user", "Q: two")]


async def test_records_without_a_session_have_no_past(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    await say(agent, 0, "one", None)
    await say(agent, 1, "two", None)
    assert bench.service.calls[1] == [SYSTEM, ("user", "Q: two")]


async def test_the_session_is_what_the_expression_says(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "memory": {"session": "properties.sid"}})
    await say(agent, 0, "one", "k1")
    await say(agent, 1, "two", "k2")
    await say(agent, 2, "three", "k1", "s2")
    assert bench.service.calls[1] == [SYSTEM, *turn("one"), ("user", "Q: two")]
    assert bench.service.calls[2] == [SYSTEM, ("user", "Q: three")]


async def test_the_past_survives_a_restart(bench: Bench) -> None:
    await say(await bench.start(AGENT, CHAT), 0, "one")
    await bench.close()
    await say(await bench.start(AGENT, CHAT), 1, "two")
    assert bench.service.calls[1] == [SYSTEM, *turn("one"), ("user", "Q: two")]


async def test_a_record_that_comes_again_sees_the_same_past_and_adds_no_turn(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "journal": {"enabled": False}})
    for offset, question in enumerate(("one", "two", "three")):
        await say(agent, offset, question)
    await say(agent, 1, "two")
    assert bench.service.calls[3] == bench.service.calls[1]
    await say(agent, 3, "four")
    assert bench.service.calls[4] == [SYSTEM, *turn("one"), *turn("two"), *turn("three"), ("user", "Q: four")]


async def test_a_record_that_comes_again_takes_its_answer_from_the_journal(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    for offset, question in enumerate(("one", "two", "three")):
        await say(agent, offset, question)
    await bench.close()
    agent = await bench.start(AGENT, CHAT)
    await say(agent, 1, "two")
    assert len(bench.service.calls) == 3


async def test_a_question_that_was_not_answered_is_not_remembered(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    bench.service.script = [[ServiceError("no", category="refused")]]
    assert isinstance(await say(agent, 0, "one"), ServiceError)
    await say(agent, 1, "two")
    assert bench.service.calls[1] == [SYSTEM, ("user", "Q: two")]


async def test_the_window_is_so_many_messages(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "memory": {"messages": 5}})
    for offset in range(5):
        await say(agent, offset, str(offset))
    assert bench.service.calls[4] == [SYSTEM, *turn("2"), *turn("3"), ("user", "Q: 4")]


async def test_the_window_is_so_many_tokens(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "memory": {"tokens": 40}})
    for offset, question in enumerate(("x" * 400, "1", "2", "3")):
        await say(agent, offset, question)
    assert bench.service.calls[1] == [SYSTEM, ("user", "Q: 1")]
    assert bench.service.calls[3] == [SYSTEM, *turn("1"), *turn("2"), ("user", "Q: 3")]


async def test_what_is_kept_of_the_question_can_be_chosen(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "memory": {"remember": "{{{ value.q }}}"}})
    await say(agent, 0, "one")
    await say(agent, 1, "two")
    assert bench.service.calls[1] == [SYSTEM, *turn("one", marked=False), ("user", "Q: two")]


async def test_replicas_share_conversations(bench: Bench) -> None:
    one, other = await bench.start(AGENT, CHAT), await bench.start(AGENT, CHAT)
    await say(one, 0, "one")
    await say(other, 1, "two")
    assert bench.service.calls[1] == [SYSTEM, *turn("one"), ("user", "Q: two")]


async def test_turns_of_a_conversation_are_taken_one_after_the_other(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "memory": {"session": "properties.sid"}})
    go_on = asyncio.Event()
    chat = bench.service.chat

    async def slow(model: str, messages: Any, *arguments: Any, **named: Any) -> Any:
        if messages[-1].content == "Q: 0":
            await go_on.wait()
        async for chunk in chat(model, messages, *arguments, **named):
            yield chunk

    bench.service.chat = slow
    first, second = [asyncio.create_task(say(agent, n, str(n), f"k{n}")) for n in range(2)]
    await say(agent, 2, "elsewhere", "k3", "s2")
    assert not second.done()
    go_on.set()
    await asyncio.gather(first, second)
    assert bench.service.calls[-1] == [SYSTEM, *turn("0"), ("user", "Q: 1")]


async def test_the_log_shows_what_was_sent(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "log-field": "value.log"})
    await say(agent, 0, "one")
    ((record,),) = [await say(agent, 1, "two")]
    logged = json.loads(json.loads(record.value())["log"])["messages"]
    assert [(each["role"], each["content"]) for each in logged] == bench.service.calls[1]


async def test_without_a_directory_it_lasts_as_long_as_the_process(bench: Bench) -> None:
    bench.directory = None
    agent = await bench.start(AGENT, CHAT)
    bench.service.script = [[Chunk("first", "id", last=True)]]
    await say(agent, 0, "one")
    await say(agent, 1, "two")
    assert bench.service.calls[1] == [SYSTEM, ("user", "Q: one"), ("assistant", "first"), ("user", "Q: two")]


# --- the memory itself ----------------------------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def opened(path: Path | None, clock: Clock, **options: Any) -> tuple[StateFile, Memory]:
    file = StateFile(path)
    named = {name.replace("_", "-"): value for name, value in options.items()}
    memory = Memory(file, MemoryOptions.model_validate(named), clock)
    await file.start()
    await memory.start()
    return file, memory


async def test_a_conversation_that_was_silent_for_long_is_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    file, memory = await opened(tmp_path, clock, expire_seconds=100)
    await memory.add(b"s", b"1", Turn("q", "a"))
    clock.now += 100
    assert await memory.history(b"s", b"2") == [Turn("q", "a")]
    clock.now += 1
    assert await memory.history(b"s", b"2") == ()
    await memory.add(b"s", b"2", Turn("q2", "a2"))
    assert await memory.history(b"s", b"3") == [Turn("q2", "a2")]
    await file.close()


async def test_those_longest_silent_go_when_there_are_too_many(tmp_path: Path) -> None:
    clock = Clock()
    file, memory = await opened(tmp_path, clock, sessions=2)
    for session in (b"1", b"2", b"1", b"3"):
        clock.now += 1
        await memory.add(session, session + b"-" + str(clock.now).encode(), Turn("q", "a"))
    await file.close()
    file, memory = await opened(tmp_path, clock, sessions=2)
    assert len(memory) == 2
    lengths = [len(await memory.history(session, b"x")) for session in (b"1", b"2", b"3")]
    assert lengths == [2, 0, 1]
    await file.close()


async def test_turns_far_behind_the_window_are_deleted() -> None:
    file, memory = await opened(None, Clock(), messages=2)
    for number in range(100):
        await memory.add(b"s", str(number).encode(), Turn(str(number), "a"))
    rows = await file.run(lambda connection: connection.execute("SELECT count(*) FROM turns").get)
    assert rows == 65
    assert await memory.history(b"s", b"99") == [Turn("98", "a")]
    await file.close()


def test_the_past_goes_before_the_first_message_that_is_not_the_systems() -> None:
    past = [Turn("q", "a")]
    said = [Message("q", "user"), Message("a", "assistant")]
    system, user = Message("s", "system"), Message("u", "user")
    assert with_history([system, user, system], past) == [system, *said, user, system]
    assert with_history([user], past) == [*said, user]
    assert with_history([system], past) == [system, *said]


def test_equal_sessions_are_one() -> None:
    assert session_of("a") == session_of("a") != session_of("b")
    assert session_of(None) is session_of("") is None
    assert session_of({"a": 1}) is not None
