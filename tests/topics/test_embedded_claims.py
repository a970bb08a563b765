"""What was read under an earlier claim is never committed under a later one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from langstream.errors import Fenced
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition, TopicSpec
from langstream.topics.embedded import open_cluster
from langstream.topics.local.consumer import LocalConsumer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def ends_of(consumer: LocalConsumer, count: int) -> dict[TopicPartition, int]:
    """What to commit after so many records."""
    ends: dict[TopicPartition, int] = {}
    while count:
        for run in await consumer.poll(count, 60.0):
            ends[TopicPartition(run.topic, run.partition)] = run.next_offset
            count -= len(run.records)
    return ends


async def test_records_of_a_partition_that_went_and_came_back_come_again_before_they_are_committed(
    tmp_path: Path,
) -> None:
    cluster = open_cluster({}, tmp_path)
    await cluster.start()
    await cluster.admin.create(TopicSpec("topic", 2))
    producer = cluster.producer()
    await producer.start()
    await producer.send("topic", [SimpleRecord(str(number), str(number)) for number in range(20)])
    first = cluster.consumer("topic", "group")
    await first.start()
    ends = await ends_of(first, 20)
    second = cluster.consumer("topic", "group")
    await second.start()
    await until(lambda: len(second.assignment()) == 1)
    (moved,) = second.assignment()
    await second.close()
    await until(lambda: len(first.assignment()) == 2)
    with pytest.raises(Fenced):
        await first.commit({moved: ends[moved]})
    with pytest.raises(Fenced):
        await producer.transact([("topic", [SimpleRecord("never")])], first, ends)
    again = await ends_of(first, ends[moved])
    assert again == {moved: ends[moved]}
    await first.commit(ends)
    assert set((await first.lag()).values()) == {0}
    await cluster.close()
