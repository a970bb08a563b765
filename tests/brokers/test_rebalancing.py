"""Several members: shares, hand-over, fencing."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from langstream.errors import Fenced
from langstream.topics.contract import TopicPartition


def _sizes(*consumers: Any) -> list[int]:
    return sorted(len(consumer.assignment()) for consumer in consumers)


async def test_partitions_are_shared_evenly(bench: Any) -> None:
    topic = await bench.topic(partitions=5)
    members = [await bench.consumer(topic) for _ in range(3)]
    await bench.until(lambda: _sizes(*members) == [1, 2, 2])
    owned = [partition for member in members for partition in member.assignment()]
    assert len(owned) == len(set(owned)) == 5


async def test_members_keep_what_they_had(bench: Any) -> None:
    topic = await bench.topic(partitions=4)
    first = await bench.consumer(topic)
    second = await bench.consumer(topic)
    await bench.until(lambda: _sizes(first, second) == [2, 2])
    before = first.assignment()
    third = await bench.consumer(topic)
    await bench.until(lambda: _sizes(first, second, third) == [1, 1, 2])
    assert first.assignment() <= before


async def test_one_member_too_many_waits_and_takes_over(bench: Any) -> None:
    topic = await bench.topic()
    first, second = await bench.consumer(topic), await bench.consumer(topic)
    assert _sizes(first, second) == [0, 1]
    assert not await second.poll(10, 0.05)
    await first.close()
    await bench.until(lambda: len(second.assignment()) == 1)
    await bench.send(topic, "a")
    assert bench.texts(await bench.poll(second, 1)) == ["a"]


async def test_a_new_member_goes_on_after_what_the_old_one_committed(bench: Any) -> None:
    topic = await bench.topic(partitions=2)
    for number in range(40):
        await bench.send(topic, number, key=str(number))
    first = await bench.consumer(topic)
    runs = await bench.poll(first, 40)
    await first.commit(bench.ends(runs))
    second = await bench.consumer(topic)
    await bench.until(lambda: _sizes(first, second) == [1, 1])
    assert not await second.poll(10, 0.1)


async def test_records_in_flight_can_be_committed_before_the_partition_moves(bench: Any) -> None:
    topic = await bench.topic(partitions=2)
    for number in range(40):
        await bench.send(topic, number, key=str(number))
    revoked: list[TopicPartition] = []

    async def finish(partitions: Collection[TopicPartition]) -> None:
        await asyncio.sleep(0.05)
        await first.commit({partition: ends[partition] for partition in partitions})
        revoked.extend(partitions)

    first = await bench.consumer(topic, on_revoked=finish)
    ends = bench.ends(await bench.poll(first, 40))
    second = await bench.consumer(topic)
    await bench.until(lambda: _sizes(first, second) == [1, 1])
    assert second.assignment() == set(revoked)
    assert not await second.poll(10, 0.1)
    assert set((await second.lag()).values()) == {0}


async def test_what_was_not_committed_goes_to_the_new_owner(bench: Any) -> None:
    topic = await bench.topic(partitions=2)
    for number in range(40):
        await bench.send(topic, number, key=str(number))
    first = await bench.consumer(topic)
    runs = await bench.poll(first, 40)
    second = await bench.consumer(topic)
    await bench.until(lambda: _sizes(first, second) == [1, 1])
    (moved,) = second.assignment()
    expected = [record.value() for run in runs if run.partition == moved.partition for record in run.records]
    assert bench.texts(await bench.poll(second, len(expected))) == expected


async def test_a_failing_callback_does_not_keep_the_partition(bench: Any) -> None:
    topic = await bench.topic(partitions=2)

    async def fail(partitions: Collection[TopicPartition]) -> None:
        raise ValueError("broken")

    first = await bench.consumer(topic, on_revoked=fail)
    second = await bench.consumer(topic)
    await bench.until(lambda: _sizes(first, second) == [1, 1])


async def test_a_commit_for_a_partition_that_moved_is_fenced(bench: Any) -> None:
    topic = await bench.topic(partitions=2)
    for number in range(40):
        await bench.send(topic, number, key=str(number))
    first = await bench.consumer(topic)
    ends = bench.ends(await bench.poll(first, 40))
    second = await bench.consumer(topic)
    await bench.until(lambda: _sizes(first, second) == [1, 1])
    (moved,) = second.assignment()
    with pytest.raises(Fenced):
        await first.commit({moved: ends[moved]})
    (kept,) = first.assignment()
    await first.commit({kept: ends[kept]})


async def test_a_fenced_commit_stores_nothing_at_all(bench: Any) -> None:
    topic = await bench.topic(partitions=2)
    for number in range(40):
        await bench.send(topic, number, key=str(number))
    first = await bench.consumer(topic)
    runs = await bench.poll(first, 40)
    second = await bench.consumer(topic)
    await bench.until(lambda: _sizes(first, second) == [1, 1])
    with pytest.raises(Fenced):
        await first.commit(bench.ends(runs))
    (kept,) = first.assignment()
    assert (await first.lag())[kept] == sum(len(run.records) for run in runs if run.partition == kept.partition)


async def test_every_record_is_seen_once_while_members_come_and_go(bench: Any) -> None:
    topic = await bench.topic(partitions=4)
    total = 400
    seen: list[str] = []
    stop = asyncio.Event()

    async def member(lifetime: float) -> None:
        busy = asyncio.Lock()

        async def finish(partitions: Collection[TopicPartition]) -> None:
            async with busy:
                return

        consumer = await bench.consumer(topic, on_revoked=finish)
        end = asyncio.get_running_loop().time() + lifetime
        while not stop.is_set() and asyncio.get_running_loop().time() < end:
            async with busy:
                runs = await consumer.poll(10, 0.02)
                if runs:
                    try:
                        await consumer.commit(bench.ends(runs))
                    except Fenced:
                        continue
                    seen.extend(bench.texts(runs))
        await consumer.close()

    members = [asyncio.create_task(member(lifetime)) for lifetime in (60.0, 0.2, 0.3)]
    for number in range(total):
        await bench.send(topic, number, key=str(number))
        if number == total // 2:
            members.append(asyncio.create_task(member(60.0)))
    await bench.until(lambda: len(seen) >= total)
    stop.set()
    await asyncio.gather(*members)
    assert sorted(seen, key=int) == [str(number) for number in range(total)]
