"""The journal: an answer that was received is not asked for again."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langstream.agents.ai.chat_completions import AGENT
from langstream.agents.ai.journal import Journal, Key, journalled
from langstream.agents.ai.kept_answer import decoded, encoded, merged
from langstream.agents.ai.model_call import Answered, Asked, Identity, ModelCall
from langstream.agents.ai.state_file import FILE_NAME, StateFile
from langstream.errors import ServiceError
from langstream.records import SimpleRecord, header
from langstream.sdk.contract import NoMetrics, Place
from langstream.services.ai.contract import Chunk, CompletionOptions, Message, ToolCall, Usage

Bench: TypeAlias = Any

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "{{ value.q }}"}],
    "completion-field": "value.answer",
    "usage-headers": True,
}
PLACE = Place("in", 0, 7)


@pytest.fixture
def bench(bench: Bench, tmp_path: Path) -> Bench:
    """With a directory for state."""
    bench.directory = tmp_path
    return bench


async def ask(agent: Any, place: Place | None = PLACE, question: str = "x") -> Any:
    (outcome,) = await agent.process_placed([SimpleRecord(json.dumps({"q": question}), "k")], [place])
    return outcome


async def test_a_record_that_comes_again_takes_its_answer_from_the_journal(bench: Bench) -> None:
    first = await ask(await bench.start(AGENT, CHAT))
    await bench.close()
    again = await ask(await bench.start(AGENT, CHAT))
    assert again == first
    assert len(bench.service.calls) == 1
    assert bench.metrics.values["ai_journal_hits"] == 1
    assert bench.metrics.values["openai_chat_completions_num_calls"] == 1
    assert header(again[0].headers(), "langstream-prompt-tokens") == "3"


@pytest.mark.parametrize(
    "place", [Place("in", 0, 8), Place("in", 1, 7), Place("other", 0, 7), Place("in", 0, 7, (1,)), None]
)
async def test_other_records_have_answers_of_their_own(bench: Bench, place: Place | None) -> None:
    agent = await bench.start(AGENT, CHAT)
    await ask(agent)
    await ask(agent, place)
    assert len(bench.service.calls) == 2


async def test_another_question_is_asked(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    await ask(agent)
    assert json.loads((await ask(agent, question="y"))[0].value())["answer"] == "echo(y)"
    assert len(bench.service.calls) == 2


async def test_a_record_without_a_place_is_known_by_its_content(bench: Bench) -> None:
    await ask(await bench.start(AGENT, CHAT), None)
    await bench.close()
    agent = await bench.start(AGENT, CHAT)
    await ask(agent, None)
    assert len(bench.service.calls) == 1
    await ask(agent, None, "y")
    assert len(bench.service.calls) == 2


async def test_a_retry_because_of_the_answer_asks_anew_and_keeps_the_new_answer(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    await ask(agent)
    bench.service.script = [[Chunk("better", "id", last=True)]]
    outcome = await ask(agent, Place("in", 0, 7, anew=True))
    assert json.loads(outcome[0].value())["answer"] == "better"
    assert json.loads((await ask(agent))[0].value())["answer"] == "better"
    assert len(bench.service.calls) == 2


async def test_an_answer_that_broke_off_is_not_journalled(bench: Bench) -> None:
    bench.service.script = [[Chunk("half", "id"), ServiceError("broken", category="refused")]]
    agent = await bench.start(AGENT, CHAT)
    assert isinstance(await ask(agent), ServiceError)
    assert json.loads((await ask(agent))[0].value())["answer"] == "echo(x)"


async def test_an_answer_from_the_journal_is_streamed_under_an_id_of_its_own(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "stream-to-topic": "st"})
    await ask(agent)
    await ask(agent)
    sent = bench.topics.sent["st"]
    ids = [header(record.headers(), "stream-id") for record in sent]
    assert len(set(ids)) == 2
    assert [header(record.headers(), "stream-last-message") for record in sent][-1] == "true"
    again = [
        json.loads(record.value())["answer"] for record in sent if header(record.headers(), "stream-id") == ids[-1]
    ]
    assert "".join(again) == "echo(x)"


async def test_the_journal_can_be_switched_off(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "journal": {"enabled": False}})
    await ask(agent)
    await ask(agent)
    assert len(bench.service.calls) == 2
    assert list(bench.directory.iterdir()) == []


async def test_an_answer_is_on_disk_before_its_end_is_told(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "stream-to-topic": "st"})
    rows: list[int] = []
    send = bench.topics.send

    async def looking(topic: str, records: Any) -> None:
        if header(records[0].headers(), "stream-last-message") == "true":
            rows.append(rows_in(bench.directory))
        await send(topic, records)

    bench.topics.send = looking
    await ask(agent)
    assert rows == [1]


def rows_in(directory: Path) -> int:
    connection = apsw.Connection(str(directory / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(connection.execute("SELECT count(*) FROM journal").get)
    finally:
        connection.close()


async def test_entries_go_when_their_records_are_committed(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    for offset in range(5):
        await ask(agent, Place("in", 0, offset))
    await ask(agent, Place("in", 1, 0))
    agent.committed("in", 0, 3)
    agent.committed("never", 0, 3)
    await bench.close()
    assert rows_in(bench.directory) == 3
    again = await bench.start(AGENT, CHAT)
    again.committed("in", 0, 5)
    await ask(again, Place("in", 0, 5))
    assert rows_in(bench.directory) == 2


async def test_entries_of_records_from_sources_go_too(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    for content in (b"a" * 16, b"b" * 16):
        for path in ((), (1,)):
            await ask(agent, Place("", 0, 0, path, content=content))
    assert len(bench.service.calls) == 4
    agent.settled(b"a" * 16)
    agent.settled(b"c" * 16)
    await bench.close()
    assert rows_in(bench.directory) == 2
    await ask(await bench.start(AGENT, CHAT), Place("", 0, 0, (1,), content=b"b" * 16))
    assert len(bench.service.calls) == 4


async def test_replicas_share_the_journal(bench: Bench) -> None:
    one, other = await bench.start(AGENT, CHAT), await bench.start(AGENT, CHAT)
    await ask(one)
    await one.close()
    await ask(other)
    assert len(bench.service.calls) == 1


# --- the journal itself ---------------------------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def key(offset: int, topic: str = "in") -> Key:
    return topic, 0, offset, b"", 0, b"digest"


CONTENT = encoded([Chunk("answer", last=True)], Answered("s", "m"))


async def opened(path: Path, clock: Clock, **limits: Any) -> tuple[StateFile, Journal]:
    file = StateFile(path)
    journal = Journal(file, clock=clock, **{"max_bytes": 10_000_000, "expire_seconds": 100, **limits})
    await file.start()
    await journal.start()
    return file, journal


async def test_the_oldest_go_when_there_are_too_many(tmp_path: Path, clock: Clock) -> None:
    file, journal = await opened(tmp_path, clock, max_bytes=3 * len(CONTENT))
    for offset in range(5):
        await journal.put(key(offset), CONTENT)
    assert [key(offset) in journal for offset in range(5)] == [False, False, True, True, True]
    journal.close()
    await file.close()
    assert rows_in(tmp_path) == 3


async def test_entries_expire(tmp_path: Path, clock: Clock) -> None:
    file, journal = await opened(tmp_path, clock)
    await journal.put(key(1), CONTENT)
    clock.now += 101
    await journal.put(key(2), CONTENT)
    assert len(journal) == 1
    await file.close()
    clock.now += 101
    file, journal = await opened(tmp_path, clock)
    assert len(journal) == 0
    await file.close()


async def test_an_entry_that_cannot_be_read_is_asked_for_again(tmp_path: Path, clock: Clock) -> None:
    file, journal = await opened(tmp_path, clock)
    await journal.put(key(1), b"{nonsense")
    assert await journal.find(key(1)) is None
    await file.close()


async def test_a_journal_that_cannot_be_written_costs_no_answer(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    file, journal = await opened(tmp_path, clock)
    await file.run(lambda connection: connection.execute("DROP TABLE journal"))

    async def inner(asked: Asked) -> AsyncGenerator[Chunk, None]:
        asked.answered = Answered("s", "m")
        yield Chunk("answer", last=True)

    asker = journalled(journal, inner, NoMetrics().counter("hits"))
    call = ModelCall("chat", (Message("x", "user"),), CompletionOptions())
    chunks = [chunk async for chunk in asker(Asked(call, Identity("in", 0, 1, b"", 0)))]
    assert [chunk.text for chunk in chunks] == ["answer"]
    assert "could not be journalled" in caplog.text
    await file.close()


texts = st.text(max_size=20)
chunks = st.builds(
    Chunk,
    text=texts,
    tokens=st.lists(texts, max_size=2).map(tuple),
    logprobs=st.lists(st.floats(-100, 0), max_size=2).map(tuple),
    usage=st.none() | st.builds(Usage, st.integers(0, 9), st.integers(0, 9)),
    tool_calls=st.lists(st.builds(ToolCall, texts, texts, texts), max_size=2).map(tuple),
    finish=st.sampled_from([None, "stop", "tool-calls"]),
)


@settings(max_examples=50)
@given(st.lists(chunks, min_size=1, max_size=4), st.none() | st.floats(0, 10))
def test_an_answer_comes_back_as_it_was(pieces: list[Chunk], cost: float | None) -> None:
    answered = Answered("s", "m", Usage(1, 2), cost)
    kept = decoded(encoded(pieces, answered))
    assert list(kept.chunks) == pieces
    assert kept.answered == answered
    assert len({chunk.answer_id for chunk in kept.replayed()} - {""}) == 1
    whole = merged(pieces)
    assert whole.text == "".join(piece.text for piece in pieces)
    assert whole.last
    assert (whole.usage, whole.tool_calls) == (pieces[-1].usage, pieces[-1].tool_calls)


def variations() -> Iterator[ModelCall]:
    one, other = Message("x", "user"), Message("y", "user")
    yield ModelCall("chat", (one,), CompletionOptions())
    yield ModelCall("chat", (one, other), CompletionOptions())
    yield ModelCall("chat", (Message("x", "system"),), CompletionOptions())
    yield ModelCall("chat", (Message("x", "user", tool_calls=(ToolCall("1", "f", "{}"),)),), CompletionOptions())
    yield ModelCall("chat", (one,), CompletionOptions(temperature=0.0))
    yield ModelCall("chat", (one,), CompletionOptions(max_tokens=0))
    yield ModelCall("chat", (one,), CompletionOptions(extra={"seed": 1}))
    yield ModelCall("text", ("x",), CompletionOptions())


def test_calls_that_ask_something_else_have_other_digests() -> None:
    digests = [call.digest() for call in variations()]
    assert len(set(digests)) == len(digests)
    assert digests == [call.digest() for call in variations()]
