"""Nodes in which an agent follows one that waits: a record begins anew when it fails, and enters in its turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langstream.records import SimpleRecord
from langstream.sdk.contract import Batching


def numbered(record: SimpleRecord) -> list[SimpleRecord]:
    return [record.with_value(f"{record.value()}{piece}") for piece in range(3)]


class Growing:
    """Looks something up that grows with time."""

    def __init__(self) -> None:
        self.size = 0

    def look_up(self, record: SimpleRecord) -> list[SimpleRecord]:
        self.size += 1
        return [record.with_value(f"{record.value()} sees {self.size}")]


def patient(size: int) -> Any:
    def function(record: SimpleRecord) -> list[SimpleRecord]:
        if int(record.value().split()[-1]) < size:
            raise LookupError("still on its way")
        return [record]

    return function


@pytest.mark.parametrize("later", ["Waiting", "Straight"])
async def test_what_was_looked_up_is_looked_up_again(kit: Any, later: str) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a")
    agents = kit.Waiting(Growing().look_up), getattr(kit, later)(patient(3))
    await kit.run(kit.node(*agents, retries=5))
    assert await kit.values("out", 1) == ["a sees 3"]


async def test_attempts_are_those_of_the_record(kit: Any) -> None:
    await kit.topics("in", "in-deadletter", "out")
    await kit.send("in", "a")
    growing = Growing()
    replica = await kit.run(
        kit.node(kit.Waiting(growing.look_up), kit.Waiting(patient(99)), on_failure="dead-letter", retries=3)
    )
    letter = (await kit.records("in-deadletter", 1))[0]
    assert dict(letter.headers())["langstream-error-attempts"] == "3"
    assert letter.value() == "a"
    assert growing.size == 3
    await kit.stop(replica)
    assert await kit.committed() == 1


async def test_a_key_passes_the_whole_node_before_its_next_record_enters(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", *(SimpleRecord(str(number), "k") for number in range(3)), SimpleRecord("x", "other"))
    steps: list[str] = []

    def note(name: str, seconds: float) -> Any:
        async def function(record: SimpleRecord) -> list[SimpleRecord]:
            await asyncio.sleep(seconds)
            steps.append(f"{name}{record.value()}")
            return [record]

        return function

    batching = Batching(max_records=10, ordering="sequence")
    await kit.run(kit.node(kit.Waiting(note("a", 0), batching), kit.Waiting(note("b", 0.005), batching)))
    await kit.values("out", 4)
    assert [step for step in steps if step[1] != "x"] == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert steps.index("ax") < steps.index("b0"), "other keys need not wait"


async def test_parts_that_went_well_are_not_published_twice(kit: Any) -> None:
    await kit.topics("out")
    failures = iter([True])

    def stumble(record: SimpleRecord) -> list[SimpleRecord]:
        if record.value() == "a1" and next(failures, False):
            raise ConnectionError("not now")
        return [record]

    source = kit.ListSource(["a", "b"])
    agents = kit.Waiting(numbered), kit.Waiting(stumble)
    await kit.run(kit.node(source, *agents, input=None, retries=3))
    assert sorted(await kit.values("out", 6)) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    await kit.until(lambda: len(source.committed) == 2)
    assert len(await kit.everything("out")) == 6


async def test_a_sink_gets_a_record_when_all_of_it_went_well(kit: Any) -> None:
    await kit.topics("in")
    await kit.send("in", "a")
    failures = iter([True])

    def stumble(record: SimpleRecord) -> list[SimpleRecord]:
        if record.value() == "a2" and next(failures, False):
            raise ConnectionError("not now")
        return [record]

    sink = kit.ListSink()
    replica = await kit.run(kit.node(kit.Waiting(numbered), kit.Waiting(stumble), sink, output=None, retries=3))
    await kit.until(lambda: kit.committed())
    await kit.stop(replica)
    assert [record.value() for record in sink.kept] == ["a0", "a1", "a2"]


async def test_a_failing_write_repeats_only_the_write(kit: Any) -> None:
    await kit.topics("in")
    await kit.send("in", "a")
    growing, failures = Growing(), iter([True])

    def write(record: SimpleRecord) -> None:
        if next(failures, False):
            raise ConnectionError("not now")

    sink = kit.ListSink(write)
    agents = kit.Waiting(growing.look_up), kit.Waiting(lambda record: [record]), sink
    await kit.run(kit.node(*agents, output=None, retries=3))
    await kit.until(lambda: kit.committed())
    assert [record.value() for record in sink.kept] == ["a sees 1"]


async def test_a_failed_record_of_a_source_is_dead_only_after_its_attempts(kit: Any) -> None:
    await kit.topics("out")
    source = kit.ListSource(["a", "b"], forgive=True)

    def refuse(record: SimpleRecord) -> list[SimpleRecord]:
        if record.value().startswith("a"):
            raise ValueError("no")
        return [record]

    await kit.run(kit.node(source, kit.Waiting(lambda record: [record]), kit.Waiting(refuse), input=None, retries=2))
    assert await kit.values("out", 1) == ["b"]
    await kit.until(lambda: len(source.committed) == 2)
    assert [record.value() for record, _ in source.refused] == ["a"]
