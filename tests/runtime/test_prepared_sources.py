"""Sources that prepare their batches: what is in the output is there once, whenever the node breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from langstream.errors import BrokerUnavailable
from langstream.records import Record, SimpleRecord
from langstream.sdk.contract import AgentContext, PreparedSource
from langstream.topics.local.publisher import LocalPublisher


class Shelf:
    """What outlives a source: its values, and what it wrote down."""

    def __init__(self, *values: str, name: str | None = "shelf") -> None:
        self.name = name
        self.values = list(values)
        self.taken: set[str] = set()
        self.prepared: tuple[str, set[str]] | None = None
        self.batches = 0
        self.told: list[str | None] = []


class ShelfSource(PreparedSource):
    """Gives two values at a time. `harm` is called after every step that a crash may follow."""

    def __init__(self, shelf: Shelf, harm: Callable[[str], None] = lambda step: None) -> None:
        self.shelf = shelf
        self.harm = harm
        self.given: set[str] = set()
        self.resumed = False

    async def start(self, context: AgentContext) -> None:
        self.given = set()

    def identity(self) -> str | None:
        return self.shelf.name

    async def resume(self, written: str | None) -> None:
        shelf = self.shelf
        shelf.told.append(written)
        if shelf.prepared is not None and shelf.prepared[0] == written:
            shelf.taken |= shelf.prepared[1]
        shelf.prepared = None
        self.resumed = True

    async def read(self, max_records: int) -> Sequence[Record]:
        assert self.resumed
        left = [value for value in self.shelf.values if value not in self.shelf.taken | self.given][:2]
        if not left:
            await asyncio.sleep(0.01)
        self.given |= set(left)
        return [SimpleRecord(value) for value in left]

    async def prepare(self, batch: str, records: Sequence[Record]) -> None:
        self.shelf.batches += 1
        self.shelf.prepared = batch, {str(record.value()) for record in records}
        self.harm("prepared")

    async def commit(self, records: Sequence[Record]) -> None:
        self.harm("written")
        self.shelf.taken |= {str(record.value()) for record in records}
        self.shelf.prepared = None
        self.harm("committed")


def passing(record: SimpleRecord) -> list[SimpleRecord]:
    return [record, SimpleRecord(f"{record.value()}!")]


def breaking(at: str, time: int) -> Callable[[str], None]:
    """Fails when a step is taken for the n-th time."""
    count = 0

    def harm(step: str) -> None:
        nonlocal count
        count += step == at
        if step == at and count == time:
            raise RuntimeError(f"crash when {step}")

    return harm


EVERYTHING = sorted(f"{value}{mark}" for value in "abcdefg" for mark in ("", "!"))


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("time", [1, 2, 4])
@pytest.mark.parametrize("step", ["prepared", "written", "committed"])
async def test_a_crash_at_any_step_repeats_nothing_and_loses_nothing(
    kit: Any, step: str, time: int, asynchronous: bool
) -> None:
    await kit.topics("out")
    shelf = Shelf(*"abcdefg")
    processor = kit.Waiting if asynchronous else kit.Straight
    node = kit.node(ShelfSource(shelf, breaking(step, time)), processor(passing), input=None)
    replica = await kit.run(node)
    error = await kit.failure(replica)
    assert f"crash when {step}" in str(error) or f"crash when {step}" in str(error.__cause__)
    await kit.run(kit.node(ShelfSource(shelf), processor(passing), input=None))
    await kit.until(lambda: len(shelf.taken) == 7)
    assert sorted(record.value() for record in await kit.everything("out")) == EVERYTHING


async def test_a_batch_that_the_broker_took_though_it_did_not_answer_keeps_its_name(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, calls = LocalPublisher.publish, []

    async def silent(self: LocalPublisher, batch: str, sends: Any) -> None:
        calls.append(batch)
        await publish(self, batch, sends)
        if len(calls) == 1:
            raise BrokerUnavailable("no answer")

    monkeypatch.setattr(LocalPublisher, "publish", silent)
    await kit.topics("out")
    shelf = Shelf("a")
    await kit.run(kit.node(ShelfSource(shelf), kit.Straight(passing), input=None))
    await kit.until(lambda: shelf.taken == {"a"})
    assert len(calls) == 2
    assert calls[0] == calls[1]
    assert [record.value() for record in await kit.everything("out")] == ["a", "a!"]


async def test_a_result_that_cannot_be_written_is_taken_out_of_its_batch(kit: Any) -> None:
    await kit.topics("out")
    shelf = Shelf("a", "bad", "b")
    spoil = kit.Straight(lambda record: [SimpleRecord(object()) if record.value() == "bad" else record])
    await kit.run(kit.node(ShelfSource(shelf), spoil, input=None, on_failure="skip"))
    await kit.until(lambda: len(shelf.taken) == 3)
    assert [record.value() for record in await kit.everything("out")] == ["a", "b"]


async def test_records_that_lead_to_nothing_need_no_transaction(kit: Any) -> None:
    await kit.topics("out")
    shelf = Shelf("a", "b")
    await kit.run(kit.node(ShelfSource(shelf), kit.Straight(lambda record: []), input=None))
    await kit.until(lambda: len(shelf.taken) == 2)
    assert shelf.batches == 0


async def test_a_second_process_with_the_same_state_stops_the_first(kit: Any) -> None:
    """Two that do the same work would do it twice."""
    await kit.topics("out")
    first, second = Shelf("a"), Shelf("b")
    earlier = await kit.run(kit.node(ShelfSource(first), kit.Straight(passing), input=None))
    await kit.until(lambda: first.taken == {"a"})
    await kit.run(kit.node(ShelfSource(second), kit.Straight(passing), input=None))
    await kit.until(lambda: second.taken == {"b"})
    first.values.append("c")
    error = await kit.failure(earlier)
    assert "another process publishes as langstream-default-app-node-published-shelf" in str(error)
    assert [record.value() for record in await kit.everything("out")] == ["a", "a!", "b", "b!"]


async def test_a_second_process_with_a_state_of_its_own_does_its_own_work(kit: Any) -> None:
    await kit.topics("out")
    first, second = Shelf("a", name="here"), Shelf("b", name="there")
    await kit.run(kit.node(ShelfSource(first), kit.Straight(passing), input=None))
    await kit.run(kit.node(ShelfSource(second), kit.Straight(passing), input=None))
    first.values.append("c")
    await kit.until(lambda: (first.taken, second.taken) == ({"a", "c"}, {"b"}))
    assert sorted(record.value() for record in await kit.everything("out")) == ["a", "a!", "b", "b!", "c", "c!"]


async def test_a_source_without_a_state_is_delivered_at_least_once(kit: Any) -> None:
    await kit.topics("out")
    shelf = Shelf("a", "b", name=None)
    await kit.run(kit.node(ShelfSource(shelf), kit.Straight(passing), input=None))
    await kit.until(lambda: len(shelf.taken) == 2)
    assert (shelf.batches, shelf.told) == (0, [None])
    assert [record.value() for record in await kit.everything("out")] == ["a", "a!", "b", "b!"]


async def test_into_a_sink_nothing_is_prepared(kit: Any) -> None:
    shelf, sink = Shelf("a", "b"), kit.ListSink()
    await kit.run(kit.node(ShelfSource(shelf), sink, input=None, output=None))
    await kit.until(lambda: len(shelf.taken) == 2)
    assert (shelf.batches, shelf.told) == (0, [None])
