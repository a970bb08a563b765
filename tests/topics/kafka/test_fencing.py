"""What was read under an earlier assignment is never committed under a later one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langstream.errors import Fenced
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition
from langstream.topics.kafka.cluster import KafkaCluster
from langstream.topics.kafka.consumer import KafkaConsumer
from tests.topics.kafka.moves import Open, member, send, topic, until


async def read_all(consumer: KafkaConsumer, count: int) -> dict[TopicPartition, int]:
    """What to commit after so many records."""
    ends: dict[TopicPartition, int] = {}
    while count > 0:
        runs = await consumer.poll(count, 60.0)
        assert runs
        for run in runs:
            ends[TopicPartition(run.topic, run.partition)] = run.next_offset
            count -= len(run.records)
    return ends


async def gone_and_come_back(cluster: KafkaCluster, source: str, first: KafkaConsumer) -> TopicPartition:
    """A partition that another member had for a while."""
    second = await member(cluster, source)
    await until(lambda: len(second.assignment()) == 1)
    (moved,) = second.assignment()
    await second.close()
    await until(lambda: len(first.assignment()) == 2)
    return moved


@pytest.fixture
async def source(cluster: KafkaCluster) -> str:
    name = await topic(cluster, "source", 2)
    await send(cluster, name, *(SimpleRecord(str(number), str(number)) for number in range(20)))
    return name


async def test_a_partition_that_went_and_came_back_is_fenced(cluster: KafkaCluster, source: str) -> None:
    first = await member(cluster, source)
    ends = await read_all(first, 20)
    moved = await gone_and_come_back(cluster, source, first)
    with pytest.raises(Fenced, match="anew to this one"):
        await first.commit({moved: ends[moved]})
    again = await read_all(first, ends[moved])
    assert again == {moved: ends[moved]}
    await first.commit(again)
    (kept,) = first.assignment() - {moved}
    await first.commit({kept: ends[kept]})
    assert set((await first.lag()).values()) == {0}


async def test_a_claim_ends_with_the_assignment_it_was_made_under(cluster: KafkaCluster, source: str) -> None:
    """Even when the records have come again in the meantime, so that nothing else tells the two apart."""
    first = await member(cluster, source)
    ends = await read_all(first, 20)
    claims = {partition: first.claim({partition: ends[partition]}) for partition in ends}
    moved = await gone_and_come_back(cluster, source, first)
    assert await read_all(first, ends[moved]) == {moved: ends[moved]}
    with pytest.raises(Fenced):
        async with first.committing(claims[moved]):
            raise AssertionError("the partition is owned anew")
    (kept,) = first.assignment() - {moved}
    async with first.committing(claims[kept]) as positions:
        assert [(place.partition, place.offset) for place in positions] == [(kept.partition, ends[kept])]


async def test_a_transaction_that_waited_while_the_partition_came_back_writes_nothing(
    cluster: KafkaCluster, source: str
) -> None:
    target = await topic(cluster, "target")
    first, producer = await member(cluster, source), cluster.producer()
    ends = await read_all(first, 20)
    async with producer._transactions._working:  # another transaction is under way
        waiting = asyncio.create_task(producer.transact([(target, [SimpleRecord("late")])], first, ends))
        moved = await gone_and_come_back(cluster, source, first)
        assert await read_all(first, ends[moved]) == {moved: ends[moved]}
    with pytest.raises(Fenced):
        await waiting
    await producer.transact([(target, [SimpleRecord("in time")])], first, ends)
    reader = cluster.reader(target, "earliest")
    await reader.start()
    found = [record.value() for run in await reader.read(10, 60.0) for record in run.records]
    assert found == ["in time"]


async def test_an_event_loop_that_cannot_give_up_partitions_in_time_joins_anew(
    connect: Open, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is too busy to hear of the rebalance at all; its records go to the other member."""
    cluster = await connect()
    first = await member(cluster, source)
    await read_all(first, 20)

    def never(*arguments: Any) -> bool:
        arguments[1].close()
        return False

    monkeypatch.setattr(first._feed, "wait_for", never)
    second = await member(cluster, source)
    await until(lambda: len(second.assignment()) == 1)
    with pytest.raises(Fenced, match="joins anew"):
        await first.poll(1, 60.0)
