"""Nodes that begin with a source agent, end with a sink agent, or are a service."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langstream.records import SimpleRecord
from langstream.sdk.contract import Batching
from langstream.topics.local.consumer import LocalConsumer


def fussy(*words: str) -> Any:
    def function(record: SimpleRecord) -> list[SimpleRecord]:
        if record.value() in words:
            raise ValueError(f"cannot digest {record.value()}")
        return [record]

    return function


async def test_a_source_learns_of_every_commit_in_order(kit: Any) -> None:
    await kit.topics("out")
    source = kit.ListSource(["a", ["b", "c"], "d"])
    await kit.run(kit.node(source, kit.Straight(lambda record: [record]), input=None))
    assert await kit.values("out", 4) == ["a", "b", "c", "d"]
    await kit.until(lambda: len(source.committed) == 4)
    assert all(given is committed for given, committed in zip(source.given, source.committed, strict=True))


async def test_equal_records_are_not_confused(kit: Any) -> None:
    await kit.topics("out")
    source = kit.ListSource([["same", "same", "same"]])
    await kit.run(kit.node(source, kit.Waiting(lambda record: [record, record]), input=None))
    assert await kit.values("out", 6) == ["same"] * 6
    await kit.until(lambda: len(source.committed) == 3)


async def test_a_source_that_aborts_fails_the_node_after_its_records_are_safe(kit: Any) -> None:
    await kit.topics("out")
    source = kit.ListSource(["a", "b", kit.ABORT])
    error = await kit.failure(await kit.run(kit.node(source, kit.Straight(lambda record: [record]), input=None)))
    assert isinstance(error, kit.Aborted)
    assert [record.value() for record in await kit.everything("out")] == ["a", "b"]
    assert [record.value() for record in source.committed] == ["a", "b"]
    assert source.closed == 1


async def test_a_source_may_go_on_without_a_record(kit: Any) -> None:
    await kit.topics("out")
    source = kit.ListSource(["a", "bad", "b"], forgive=True)
    await kit.run(kit.node(source, kit.Waiting(fussy("bad")), input=None))
    assert await kit.values("out", 2) == ["a", "b"]
    await kit.until(lambda: len(source.committed) == 3)
    assert [(record.value(), str(error)) for record, error in source.refused] == [("bad", "cannot digest bad")]


async def test_a_source_may_go_on_without_a_record_of_a_straight_node(kit: Any) -> None:
    await kit.topics("out")
    source = kit.ListSource([["a", "bad", "b"]], forgive=True)
    await kit.run(kit.node(source, kit.Straight(fussy("bad")), input=None))
    assert await kit.values("out", 2) == ["a", "b"]
    await kit.until(lambda: len(source.committed) == 3)


async def test_a_source_that_refuses_stops_the_node(kit: Any) -> None:
    await kit.topics("out")
    source = kit.ListSource([["closed", "after"]])
    error = await kit.failure(await kit.run(kit.node(source, kit.Straight(fussy("closed")), input=None)))
    assert "cannot digest closed" in str(error)
    assert await kit.everything("out") == []
    assert source.committed == []


async def test_an_unwritable_result_of_a_source_is_its_record(kit: Any) -> None:
    await kit.topics("out")
    source = kit.ListSource([["a", "odd", "b"]], forgive=True)

    def process(record: SimpleRecord) -> list[SimpleRecord]:
        return [record.with_value(object() if record.value() == "odd" else record.value())]

    await kit.run(kit.node(source, kit.Straight(process), input=None))
    assert await kit.values("out", 2) == ["a", "b"]
    await kit.until(lambda: len(source.committed) == 3)
    assert [record.value() for record, _ in source.refused] == ["odd"]


async def test_a_source_with_nothing_to_say_is_not_asked_in_a_busy_loop(kit: Any) -> None:
    await kit.topics("out")
    reads = 0

    class Empty(kit.ListSource):  # type: ignore[misc]
        async def read(self, max_records: int) -> Any:
            nonlocal reads
            reads += 1
            return []

    await kit.run(kit.node(Empty([]), input=None))
    await asyncio.sleep(0.1)
    assert reads < 10


async def test_a_sink_is_written_before_the_commit(kit: Any) -> None:
    await kit.topics("in")
    await kit.send("in", "a", "b", "c")
    sink = kit.ListSink()
    replica = await kit.run(kit.node(kit.Straight(lambda record: [record]), sink, output=None))
    await kit.until(lambda: len(sink.kept) == 3)
    await kit.stop(replica)
    assert [record.value() for record in sink.kept] == ["a", "b", "c"]
    assert await kit.committed() == 3
    assert sink.closed == 1


async def test_a_failing_write_is_retried_then_dead_lettered(kit: Any) -> None:
    await kit.topics("in", "in-deadletter")
    await kit.send("in", "fine", "bad", "fine too")
    tries: list[str] = []

    def write(record: SimpleRecord) -> None:
        tries.append(record.value())
        if record.value() == "bad":
            raise RuntimeError("will not stick")

    sink = kit.ListSink(write)
    await kit.run(kit.node(sink, output=None, on_failure="dead-letter", retries=2))
    letter = (await kit.records("in-deadletter", 1))[0]
    assert letter.value() == "bad"
    assert dict(letter.headers())["langstream-error-attempts"] == "2"
    assert tries.count("bad") == 2
    assert [record.value() for record in sink.kept] == ["fine", "fine too"]


async def test_one_failing_write_of_a_batch_is_not_blamed_on_the_others(kit: Any) -> None:
    await kit.topics("in")
    await kit.send("in", *[str(number) for number in range(10)])

    def write(record: SimpleRecord) -> None:
        if record.value() == "4":
            raise RuntimeError("no")

    sink = kit.ListSink(write, Batching(max_records=4, concurrency=2, ordering="sequence"))
    await kit.run(kit.node(sink, output=None, on_failure="skip"))
    await kit.until(lambda: len(sink.kept) == 9)
    await kit.until(lambda: kit.committed())


async def test_a_service_that_ends_has_failed(kit: Any) -> None:
    async def main() -> None:
        await asyncio.sleep(0.01)

    service = kit.Program(main)
    error = await kit.failure(await kit.run(kit.node(service, input=None, output=None)))
    assert "ended by itself" in str(error)
    assert service.closed == 1


async def test_a_service_is_cancelled_on_stop(kit: Any) -> None:
    ends: list[str] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("cancelled")

    service = kit.Program(main)
    replica = await kit.run(kit.node(service, input=None, output=None))
    assert replica.address() == "http://127.0.0.1:9"
    await kit.stop(replica)
    assert ends == ["cancelled"]
    assert service.closed == 1


async def test_an_agent_can_report_that_it_is_broken(kit: Any) -> None:
    await kit.topics("in", "out")
    agent = kit.Straight(lambda record: [record])
    replica = await kit.run(kit.node(agent))
    agent.context.report_failure(RuntimeError("the connection thread died"))
    assert "the connection thread died" in str(await kit.failure(replica))
    assert agent.closed == 1


async def test_what_was_opened_is_closed_when_a_later_agent_does_not_start(kit: Any) -> None:
    await kit.topics("in", "out")

    class Broken(kit.Straight):  # type: ignore[misc]
        async def start(self, context: Any) -> None:
            raise ConnectionError("no route")

    first, second, third = kit.Straight(None), Broken(None), kit.Straight(None)
    error = await kit.failure(await kit.run(kit.node(first, second, third)))
    assert "agent node-1 does not start: ConnectionError: no route" in str(error)
    assert (first.closed, second.closed, third.started) == (1, 1, 0)


async def test_records_sent_through_the_context_leave_at_once(kit: Any) -> None:
    await kit.topics("in", "out", "chunks")
    await kit.send("in", "a")

    class Chatty(kit.Waiting):  # type: ignore[misc]
        async def process_batch(self, records: Any) -> Any:
            await self.context.topics.send("chunks", [SimpleRecord("piece")])
            await asyncio.Event().wait()

    replica = await kit.run(kit.node(Chatty(None)))
    assert await kit.values("chunks", 1) == ["piece"]
    await kit.stop(replica, 0.01)


async def test_a_sink_is_given_nothing_new_while_the_broker_takes_no_commits(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it wrote meanwhile would be repeated if the partition moved."""
    monkeypatch.setattr("langstream.runtime.delivery.HELD_UP_SECONDS", 0.05)
    monkeypatch.setattr("langstream.runtime.intake.POLL_SECONDS", 0.05)
    taken = asyncio.Event()
    commit = LocalConsumer.commit

    async def slowly(self: LocalConsumer, offsets: Any) -> None:
        await taken.wait()
        await commit(self, offsets)

    monkeypatch.setattr(LocalConsumer, "commit", slowly)
    await kit.topics("in")
    await kit.send("in", "a")
    sink = kit.ListSink()
    replica = await kit.run(kit.node(sink, output=None))
    await kit.until(lambda: sink.kept and replica.flow.delivery.held_up())
    await asyncio.sleep(0.3)  # the poll that was under way has ended
    await kit.send("in", "b")
    await asyncio.sleep(0.3)
    assert [record.value() for record in sink.kept] == ["a"]
    taken.set()
    await kit.until(lambda: [record.value() for record in sink.kept] == ["a", "b"])
