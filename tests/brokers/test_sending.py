"""Order and partitions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from langstream.records import SimpleRecord


async def _by_partition(bench: Any, topic: str) -> dict[int, list[SimpleRecord]]:
    reader = bench.cluster.reader(topic, "earliest")
    await reader.start()
    found: dict[int, list[SimpleRecord]] = defaultdict(list)
    while fetched := await reader.read(100, 0.1):
        for run in fetched:
            found[run.partition] += run.records
    await reader.close()
    return found


async def test_equal_keys_share_a_partition_and_keep_their_order(bench: Any) -> None:
    topic = await bench.topic(partitions=4)
    await bench.send(topic, *(SimpleRecord(str(number), f"key-{number % 10}") for number in range(200)))
    places: dict[str, set[int]] = defaultdict(set)
    order: dict[str, list[int]] = defaultdict(list)
    for partition, records in (await _by_partition(bench, topic)).items():
        for record in records:
            places[record.key()].add(partition)
            order[record.key()].append(int(record.value()))
    assert len(order) == 10
    assert all(len(partitions) == 1 for partitions in places.values())
    assert all(numbers == sorted(numbers) and len(numbers) == 20 for numbers in order.values())
    assert len({partition for partitions in places.values() for partition in partitions}) > 1


async def test_a_key_goes_to_the_same_partition_whatever_its_form(bench: Any) -> None:
    topic = await bench.topic(partitions=8)
    await bench.send(topic, *(SimpleRecord("v", key) for key in ('{"a":1}', b'{"a":1}', {"a": 1})))
    assert [len(records) for records in (await _by_partition(bench, topic)).values()] == [3]


async def test_records_without_a_key_are_spread(bench: Any) -> None:
    topic = await bench.topic(partitions=4)
    producer = bench.cluster.producer()
    await producer.start()
    for number in range(20):
        await producer.send(topic, [SimpleRecord(str(number))])
    await producer.close()
    assert len(await _by_partition(bench, topic)) == 4


async def test_offsets_count_up_from_zero_in_every_partition(bench: Any) -> None:
    if not bench.cluster.capabilities.counted_offsets:
        pytest.skip("the offsets of this broker have gaps")
    topic = await bench.topic(partitions=2)
    await bench.send(topic, *(SimpleRecord("v", str(number)) for number in range(50)))
    reader = bench.cluster.reader(topic, "earliest")
    await reader.start()
    offsets: dict[int, list[int]] = defaultdict(list)
    while fetched := await reader.read(7, 0.1):
        for run in fetched:
            offsets[run.partition] += run.offsets
    assert sorted(len(found) for found in offsets.values()) == sorted(
        len(found) for found in (await _by_partition(bench, topic)).values()
    )
    assert all(found == list(range(len(found))) for found in offsets.values())


async def test_sends_of_one_producer_keep_their_order_without_waiting(bench: Any) -> None:
    topic = await bench.topic()
    producer = bench.cluster.producer()
    await producer.start()
    await asyncio.gather(*(producer.send(topic, [SimpleRecord(number)]) for number in range(300)))
    assert await bench.values(topic) == [str(number) for number in range(300)]


async def test_one_bad_sender_does_not_harm_its_neighbours(bench: Any) -> None:
    topic = await bench.topic()
    producer = bench.cluster.producer()
    await producer.start()
    results = await asyncio.gather(
        producer.send(topic, [SimpleRecord("good")]),
        producer.send("nowhere", [SimpleRecord("bad")]),
        producer.send(topic, [SimpleRecord(object())]),
        producer.send(topic, [SimpleRecord("fine")]),
        return_exceptions=True,
    )
    assert [isinstance(result, Exception) for result in results] == [False, True, True, False]
    assert await bench.values(topic) == ["good", "fine"]


async def test_sending_nothing_is_allowed(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic)
    assert await bench.values(topic) == []


async def test_more_records_than_fit_one_run(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, *range(3_500))
    assert await bench.values(topic) == [str(number) for number in range(3_500)]
