"""Consumer groups with one member each: polling, committing, going on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langstream.errors import TopicError
from langstream.topics.contract import TopicPartition


async def test_a_new_group_starts_at_the_earliest_record(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, "a", "b")
    consumer = await bench.consumer(topic)
    assert bench.texts(await bench.poll(consumer, 2)) == ["a", "b"]


async def test_a_single_member_owns_every_partition_once_started(bench: Any) -> None:
    topic = await bench.topic(partitions=3)
    consumer = await bench.consumer(topic)
    assert consumer.assignment() == {TopicPartition(topic, number) for number in range(3)}


async def test_poll_never_gives_more_than_asked(bench: Any) -> None:
    topic = await bench.topic(partitions=3)
    await bench.send(topic, *range(50), key="a")
    await bench.send(topic, *range(50), key="b")
    consumer = await bench.consumer(topic)
    sizes: list[int] = []
    while sum(sizes) < 100:
        fetched = await consumer.poll(7, 60.0)
        sizes.append(sum(len(run.records) for run in fetched))
        assert 1 <= sizes[-1] <= 7


async def test_poll_returns_empty_after_its_timeout(bench: Any) -> None:
    consumer = await bench.consumer(await bench.topic())
    assert not await consumer.poll(10, 0.05)


async def test_poll_wakes_up_for_a_record(bench: Any) -> None:
    topic = await bench.topic()
    consumer = await bench.consumer(topic)
    waiting = asyncio.create_task(consumer.poll(10, 60.0))
    await asyncio.sleep(0.05)
    await bench.send(topic, "a")
    assert bench.texts(await asyncio.wait_for(waiting, 60)) == ["a"]


async def test_a_cancelled_poll_loses_nothing(bench: Any) -> None:
    topic = await bench.topic()
    consumer = await bench.consumer(topic)
    for number in range(20):
        waiting = asyncio.create_task(consumer.poll(10, 60.0))
        await asyncio.sleep(0.001 * (number % 4))
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await bench.send(topic, *range(10))
    assert bench.texts(await bench.poll(consumer, 10)) == [str(number) for number in range(10)]


async def test_a_group_goes_on_after_what_it_committed(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, *range(25))
    for start in range(0, 25, 5):
        consumer = await bench.consumer(topic)
        runs = await bench.poll(consumer, 5)
        assert bench.texts(runs) == [str(number) for number in range(start, start + 5)]
        await consumer.commit(bench.ends(runs))
        await consumer.close()


async def test_what_was_not_committed_comes_again(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, "a", "b", "c")
    consumer = await bench.consumer(topic)
    runs = await bench.poll(consumer, 3)
    await consumer.commit({TopicPartition(topic, 0): [offset for run in runs for offset in run.offsets][1]})
    await consumer.close()
    consumer = await bench.consumer(topic)
    assert bench.texts(await bench.poll(consumer, 2)) == ["b", "c"]


async def test_groups_do_not_disturb_each_other(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, "a", "b")
    first, second = await bench.consumer(topic, "one"), await bench.consumer(topic, "two")
    await first.commit(bench.ends(await bench.poll(first, 2)))
    assert bench.texts(await bench.poll(second, 2)) == ["a", "b"]


async def test_lag_counts_what_is_not_committed(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, *range(10))
    consumer = await bench.consumer(topic)
    partition = TopicPartition(topic, 0)
    runs = await bench.poll(consumer, 10)
    assert await consumer.lag() == {partition: 10}
    await consumer.commit({partition: [offset for run in runs for offset in run.offsets][4]})
    assert await consumer.lag() == {partition: 6}


async def test_committing_again_is_allowed(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, "a")
    consumer = await bench.consumer(topic)
    ends = bench.ends(await bench.poll(consumer, 1))
    await consumer.commit(ends)
    await consumer.commit(ends)
    await consumer.commit({})
    assert set((await consumer.lag()).values()) == {0}


@pytest.mark.parametrize("place", ["before", "behind"])
async def test_an_offset_outside_of_the_partition_is_refused(bench: Any, place: str) -> None:
    topic = await bench.topic()
    await bench.send(topic, "a", "b")
    consumer = await bench.consumer(topic)
    (end,) = bench.ends(await bench.poll(consumer, 2)).values()
    offset = -1 if place == "before" else end + 1
    with pytest.raises(TopicError, match=f"offset {offset}.*ends at {end}"):
        await consumer.commit({TopicPartition(topic, 0): offset})


async def test_a_partition_of_another_topic_is_refused(bench: Any) -> None:
    consumer = await bench.consumer(await bench.topic())
    with pytest.raises(TopicError, match="elsewhere"):
        await consumer.commit({TopicPartition("elsewhere", 0): 0})


async def test_no_partition_starves(bench: Any) -> None:
    topic = await bench.topic(partitions=4)
    for number in range(400):
        await bench.send(topic, number, key=str(number))
    consumer = await bench.consumer(topic)
    await bench.until(lambda: getattr(consumer, "read_ahead", 400) >= 400)  # some brokers fetch one by one
    seen = {run.partition for _ in range(8) for run in await consumer.poll(10, 60.0)}
    assert seen == {0, 1, 2, 3}


async def test_a_closed_consumer_may_be_closed_again(bench: Any) -> None:
    consumer = await bench.consumer(await bench.topic())
    await consumer.close()
    await consumer.close()


async def test_a_consumer_that_was_never_started_may_be_closed(bench: Any) -> None:
    consumer = bench.cluster.consumer(await bench.topic(), "group")
    await consumer.close()
