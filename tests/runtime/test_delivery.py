"""Delivery by itself: brokers that are away, partitions that move meanwhile, and the pace of commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest

from langstream.errors import BrokerUnavailable
from langstream.records import SimpleRecord
from langstream.runtime.delivery import Delivery
from langstream.runtime.intake import TopicIntake
from langstream.runtime.unit import Batch, Tracker, Unit
from langstream.topics.contract import TopicPartition, TopicSpec
from langstream.topics.local.cluster import LocalCluster
from langstream.topics.memory import open_cluster


class Node:
    """What delivery tells its node."""

    def __init__(self) -> None:
        self.committed_units: list[Unit] = []
        self.changed = asyncio.Event()

    def finished(self, unit: Unit) -> None: ...

    def committed(self, trackers: Mapping[Tracker, Sequence[Unit]]) -> None:
        self.committed_units += [unit for units in trackers.values() for unit in units]
        self.changed.set()

    def written(self, records: int) -> None: ...

    def unwritable(self, unit: Unit, bad: Sequence[tuple[SimpleRecord, Exception]]) -> None: ...

    def progressed(self) -> None: ...


class Producer:
    """Counts transactions; `before` happens in each."""

    def __init__(self, before: Callable[[int], None]) -> None:
        self.calls = 0
        self.offsets: list[Mapping[TopicPartition, int]] = []
        self._before = before

    async def transact(self, sends: Any, consumer: Any, offsets: Mapping[TopicPartition, int]) -> None:
        self.calls += 1
        self._before(self.calls)
        self.offsets.append(offsets)


@pytest.fixture
async def intake() -> AsyncIterator[TopicIntake]:
    cluster: LocalCluster = open_cluster({}, None)
    await cluster.start()
    await cluster.admin.create(TopicSpec("in", 2))
    made = TopicIntake(cluster, "in", "group", {}, lambda _: None)
    await made.start()
    yield made
    await made.close()
    await cluster.close()


def finished_unit(delivery: Delivery, tracker: Tracker, offset: int) -> None:
    """A record that was read and dealt with."""
    unit = Batch(tracker, [SimpleRecord("x")], [offset]).unit()
    tracker.add(unit)
    delivery.emit(unit, "out", [SimpleRecord("y")])
    unit.pending = 0
    delivery.ready(tracker)


async def test_records_of_a_partition_that_moved_while_the_broker_was_away_are_not_written(intake: TopicIntake) -> None:
    lost, kept = (Tracker(TopicPartition("in", number)) for number in (0, 1))

    def before(call: int) -> None:
        if call == 1:
            lost.dropped = True  # and the consumer owns the partition again by now: it is in the assignment
            raise BrokerUnavailable("away")

    node, producer = Node(), Producer(before)
    delivery = Delivery(node, intake, producer, True)  # type: ignore[arg-type]
    finished_unit(delivery, lost, 0)
    finished_unit(delivery, kept, 0)
    await delivery.flush()
    assert producer.offsets == [{kept.partition: 1}]
    assert [unit.tracker for unit in node.committed_units] == [kept]


async def test_a_commit_after_a_silence_is_at_once_and_the_next_keeps_the_pace(intake: TopicIntake) -> None:
    node, producer, tracker = Node(), Producer(lambda _: None), Tracker(TopicPartition("in", 0))
    delivery = Delivery(node, intake, producer, True, pace_seconds=3600)  # type: ignore[arg-type]
    running = asyncio.create_task(delivery.run())
    finished_unit(delivery, tracker, 0)
    await node.changed.wait()
    finished_unit(delivery, tracker, 1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(producer.offsets) == 1
    running.cancel()
    await delivery.flush()
    assert producer.offsets[1:] == [{tracker.partition: 2}]
