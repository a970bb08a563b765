"""Outputs and offsets together, or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langstream.errors import Fenced, RecordError, TopicNotFound
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition


@pytest.fixture(autouse=True)
def _needs_transactions(bench: Any) -> None:
    if not bench.cluster.capabilities.transactions:
        pytest.skip("this broker has no transactions")


async def _started(bench: Any, partitions: int = 1, count: int = 10) -> tuple[Any, Any, str, str]:
    source, target = await bench.topic(partitions=partitions), await bench.topic()
    for number in range(count):
        await bench.send(source, number, key=str(number))
    producer = bench.cluster.producer()
    await producer.start()
    return await bench.consumer(source), producer, source, target


async def test_outputs_and_offsets_are_committed(bench: Any) -> None:
    consumer, producer, source, target = await _started(bench)
    runs = await bench.poll(consumer, 10)
    await producer.transact([(target, [SimpleRecord("out")])], consumer, bench.ends(runs))
    assert await bench.values(target) == ["out"]
    assert await consumer.lag() == {TopicPartition(source, 0): 0}


async def test_several_topics_take_part(bench: Any) -> None:
    consumer, producer, _, target = await _started(bench)
    other = await bench.topic(partitions=3)
    runs = await bench.poll(consumer, 10)
    sends = [
        (target, [SimpleRecord("a")]),
        (other, [SimpleRecord("b", "k"), SimpleRecord("c")]),
        (target, [SimpleRecord("d")]),
    ]
    await producer.transact(sends, consumer, bench.ends(runs))
    assert await bench.values(target) == ["a", "d"]
    assert sorted(await bench.values(other)) == ["b", "c"]


async def test_offsets_alone_are_a_transaction_too(bench: Any) -> None:
    consumer, producer, source, _ = await _started(bench)
    await producer.transact([], consumer, bench.ends(await bench.poll(consumer, 10)))
    assert await consumer.lag() == {TopicPartition(source, 0): 0}


async def test_outputs_without_offsets_are_written(bench: Any) -> None:
    consumer, producer, _, target = await _started(bench)
    await producer.transact([(target, [SimpleRecord("out")])], consumer, {})
    assert await bench.values(target) == ["out"]


async def test_a_fenced_transaction_writes_nothing(bench: Any) -> None:
    consumer, producer, source, target = await _started(bench, partitions=2, count=40)
    runs = await bench.poll(consumer, 40)
    second = await bench.consumer(source)
    await bench.until(lambda: len(second.assignment()) == 1)
    with pytest.raises(Fenced):
        await producer.transact([(target, [SimpleRecord("out")])], consumer, bench.ends(runs))
    assert await bench.values(target) == []


async def test_a_closed_consumer_is_fenced(bench: Any) -> None:
    consumer, producer, _, target = await _started(bench)
    runs = await bench.poll(consumer, 10)
    await consumer.close()
    with pytest.raises(Fenced):
        await producer.transact([(target, [SimpleRecord("out")])], consumer, bench.ends(runs))
    assert await bench.values(target) == []


@pytest.mark.parametrize("problem", ["topic", "value"])
async def test_a_transaction_that_cannot_be_written_commits_nothing(bench: Any, problem: str) -> None:
    consumer, producer, source, target = await _started(bench)
    runs = await bench.poll(consumer, 10)
    bad = ("nowhere", [SimpleRecord("x")]) if problem == "topic" else (target, [SimpleRecord(object())])
    with pytest.raises((TopicNotFound, RecordError)):
        await producer.transact([(target, [SimpleRecord("out")]), bad], consumer, bench.ends(runs))
    assert await bench.values(target) == []
    assert await consumer.lag() == {TopicPartition(source, 0): 10}


async def test_a_fenced_transaction_does_not_harm_others_in_the_same_moment(bench: Any) -> None:
    consumer, producer, source, target = await _started(bench, partitions=2, count=40)
    runs = await bench.poll(consumer, 40)
    second = await bench.consumer(source)
    await bench.until(lambda: len(second.assignment()) == 1)
    results = await asyncio.gather(
        producer.send(target, [SimpleRecord("before")]),
        producer.transact([(target, [SimpleRecord("fenced")])], consumer, bench.ends(runs)),
        producer.send(target, [SimpleRecord("after")]),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), Fenced, type(None)]
    assert await bench.values(target) == ["before", "after"]
