"""Chunk records on `stream-to-topic`: their groups, headers and order, and what failures do to them."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.ai.chat_completions import AGENT
from langstream.agents.ai.chunks import ChunkStream
from langstream.agents.working_record import result_field
from langstream.errors import AgentFailed, BrokerUnavailable, RecordError, ServiceError
from langstream.records import Record, SimpleRecord, header
from langstream.sdk.contract import AgentContext, Resource
from langstream.services.ai.contract import Chunk

Bench: TypeAlias = Any

Q1 = SimpleRecord('{"q":"the car","n":1}', "k1", [("sid", "9")], "in", 5)
HELLO = {
    "model": "m",
    "messages": [{"role": "user", "content": "hello"}],
    "completion-field": "value.answer",
    "stream-to-topic": "st",
    "stream-response-completion-field": "value",
}


def pieces(*texts: str, last: bool = True) -> list[Chunk | Exception]:
    chunks: list[Chunk | Exception] = [Chunk(text, "id1") for text in texts]
    return [*chunks, Chunk("", "id1", last=True)] if last else chunks


async def ask(bench: Bench, record: SimpleRecord = Q1, **changed: Any) -> Any:
    options = {name.replace("_", "-"): value for name, value in changed.items()}
    agent = await bench.start(AGENT, {**HELLO, **options})
    (outcome,) = await agent.process_batch([record])
    return outcome


def streamed(bench: Bench) -> list[tuple[Any, str, str]]:
    return [
        (record.value(), header(record.headers(), "stream-index"), header(record.headers(), "stream-last-message"))
        for record in bench.topics.sent.get("st", [])
    ]


async def test_chunks_carry_the_record_and_the_headers_of_the_stream(bench: Bench) -> None:
    (final,) = await ask(bench)
    first, second = bench.topics.sent["st"]
    base = [("sid", "9"), ("stream-id", "id1")]
    assert first == SimpleRecord("ech", "k1", [*base, ("stream-index", "1"), ("stream-last-message", "false")], "in", 5)
    assert second == SimpleRecord(
        "o(hello)", "k1", [*base, ("stream-index", "2"), ("stream-last-message", "true")], "in", 5
    )
    assert json.loads(final.value()) == {"q": "the car", "n": 1, "answer": "echo(hello)"}
    assert final.headers() == [("sid", "9")]


async def test_chunks_go_to_the_completion_field_if_no_other_is_named(bench: Bench) -> None:
    await ask(bench, stream_response_completion_field=None)
    assert [json.loads(record.value()) for record in bench.topics.sent["st"]] == [
        {"q": "the car", "n": 1, "answer": "ech"},
        {"q": "the car", "n": 1, "answer": "o(hello)"},
    ]


@pytest.mark.parametrize(
    ("most", "texts", "groups"),
    [
        (3, ["T1", "T2", "T3", "T4", "T5"], ["T1", "T2T3", "T4T5"]),
        (2, list("abcdef"), ["a", "bc", "de", "f"]),
        (20, list("abcdefgh"), ["a", "bc", "defg", "h"]),
        (1, list("abc"), ["a", "b", "c", ""]),
        (20, list("abc"), ["a", "bc", ""]),
        (20, [], [""]),
    ],
)
async def test_groups_double_up_to_the_limit(bench: Bench, most: int, texts: list[str], groups: list[str]) -> None:
    bench.service.script = [pieces(*texts)]
    (final,) = await ask(bench, min_chunks_per_message=most)
    last = ["false"] * (len(groups) - 1) + ["true"]
    indexes = [str(number) for number in range(1, len(groups) + 1)]
    assert streamed(bench) == list(zip(groups, indexes, last, strict=True))
    assert json.loads(final.value())["answer"] == "".join(texts)


class Kept:
    def __init__(self) -> None:
        self.records: list[Record] = []

    async def send(self, topic: str, records: Any) -> None:
        self.records.extend(records)


@given(st.lists(st.text(), max_size=60), st.integers(1, 30))
async def test_chunk_records_add_up_to_the_answer(texts: list[str], most: int) -> None:
    kept = Kept()
    publisher = ChunkStream(kept, "st", result_field("value"), most).publisher(SimpleRecord("x"))
    for text in texts:
        await publisher.add(Chunk(text, "a"))
    await publisher.add(Chunk("", "a", last=True))
    await publisher.finish()
    assert "".join(record.value() for record in kept.records) == "".join(texts)
    marks = [header(record.headers(), "stream-last-message") for record in kept.records]
    assert marks == ["false"] * (len(marks) - 1) + ["true"]
    assert [header(record.headers(), "stream-index") for record in kept.records] == [
        str(number) for number in range(1, len(marks) + 1)
    ]


async def test_a_service_without_answer_ids_gets_one_id_per_answer(bench: Bench) -> None:
    bench.service.script = [[Chunk("a"), Chunk("b"), Chunk("", last=True)] for _ in range(2)]
    agent = await bench.start(AGENT, HELLO)
    await agent.process_batch([Q1])
    await agent.process_batch([Q1])
    ids = [header(record.headers(), "stream-id") for record in bench.topics.sent["st"]]
    assert all(ids)
    assert ids[0] == ids[1] != ids[2] == ids[3]


async def test_nothing_is_streamed_when_streaming_is_off(bench: Bench) -> None:
    await ask(bench, stream=False)
    assert bench.topics.sent == {}


async def test_a_field_that_the_record_cannot_have_fails_it(bench: Bench) -> None:
    outcome = await ask(bench, SimpleRecord("text"), stream_response_completion_field="value.chunk")
    assert isinstance(outcome, RecordError)


async def test_a_topic_that_cannot_be_written_costs_pieces_but_not_the_answer(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.topics.fail = [BrokerUnavailable("disk full")]
    (final,) = await ask(bench)
    assert json.loads(final.value())["answer"] == "echo(hello)"
    assert streamed(bench) == [("o(hello)", "2", "true")]
    assert "disk full" in caplog.text
    assert "hello" not in caplog.text


async def test_an_answer_that_broke_off_unseen_is_asked_for_again(bench: Bench) -> None:
    broken = [*pieces("half", last=False), ServiceError("broken")]
    bench.service.script = [broken, pieces("whole")]
    (final,) = await ask(bench, stream_to_topic=None)
    assert json.loads(final.value())["answer"] == "whole"
    assert bench.metrics.values["openai_chat_completions_num_calls"] == 2
    assert bench.metrics.values["openai_chat_completions_num_errors"] == 1


async def test_an_answer_that_keeps_breaking_off_fails(bench: Bench) -> None:
    bench.service.script = [[*pieces("half", last=False), ServiceError("broken")] for _ in range(9)]
    assert isinstance(await ask(bench, stream_to_topic=None), ServiceError)
    assert len(bench.service.calls) == 3


async def test_an_answer_that_broke_off_in_public_fails_its_record(bench: Bench) -> None:
    bench.service.script = [[*pieces("half", last=False), ServiceError("broken")], pieces("whole")]
    outcome = await ask(bench)
    assert isinstance(outcome, ServiceError)
    assert outcome.retryable
    assert streamed(bench) == [("half", "1", "false")]
    assert len(bench.service.calls) == 1


async def test_a_refusal_is_not_asked_again(bench: Bench) -> None:
    bench.service.script = [[ServiceError("no", category="refused")], pieces("whole")]
    assert isinstance(await ask(bench), ServiceError)
    assert len(bench.service.calls) == 1


async def test_a_refusal_fails_its_record_only(bench: Bench) -> None:
    bench.service.script = [[ServiceError("no", category="refused")]]
    agent = await bench.start(AGENT, HELLO)
    failed, answered = await agent.process_batch([Q1, Q1])
    assert isinstance(failed, ServiceError)
    assert len(answered) == 1


async def test_streaming_without_a_broker_refuses_to_start(bench: Bench) -> None:
    agent = AGENT.create(AGENT.configuration.model_validate(HELLO))  # type: ignore[union-attr]
    resource = Resource("b", "b", "open-ai-configuration", {"access-key": "k"})
    with pytest.raises(AgentFailed, match="no broker"):
        await agent.start(AgentContext("a", "app", resources={"b": resource}))
    await agent.close()
