"""Several processes on the same topics; each cluster here is what another process would have."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langstream.records import SimpleRecord
from langstream.topics.contract import TopicSpec


@pytest.fixture
async def other(bench: Any) -> Any:
    """A second cluster."""
    if not bench.cluster.capabilities.shared:
        pytest.skip("the topics of this broker belong to one process")
    return await bench.open()


async def test_records_of_another_process_are_read(bench: Any, other: Any) -> None:
    topic = await bench.topic()
    producer = other.producer()
    await producer.start()
    await producer.send(topic, [SimpleRecord("from afar")])
    assert await bench.values(topic) == ["from afar"]


async def test_a_waiting_consumer_notices_another_process(bench: Any, other: Any) -> None:
    topic = await bench.topic()
    consumer = await bench.consumer(topic)
    producer = other.producer()
    await producer.start()
    for number in range(5):
        waiting = asyncio.create_task(consumer.poll(10, 60.0))
        await asyncio.sleep(0.02)
        await producer.send(topic, [SimpleRecord(number)])
        assert bench.texts(await asyncio.wait_for(waiting, 60)) == [str(number)]


async def test_members_of_several_processes_share_partitions(bench: Any, other: Any) -> None:
    topic = await bench.topic(partitions=4)
    first = await bench.consumer(topic)
    second = await bench.consumer(topic, cluster=other)
    await bench.until(lambda: len(first.assignment()) == len(second.assignment()) == 2)
    assert not first.assignment() & second.assignment()
    await other.close()
    await bench.until(lambda: len(first.assignment()) == 4)


async def test_a_topic_that_another_process_made_anew_is_the_new_one(bench: Any, other: Any) -> None:
    topic = await bench.topic()
    producer = bench.cluster.producer()
    await producer.start()
    await producer.send(topic, [SimpleRecord("old")])
    await other.admin.delete(topic)
    await other.admin.create(TopicSpec(topic, 2))
    await producer.send(topic, [SimpleRecord("new")])
    assert await bench.values(topic) == ["new"]


async def test_offsets_of_concurrent_senders_do_not_collide(bench: Any, other: Any) -> None:
    topic = await bench.topic()

    async def send(cluster: Any, name: str) -> None:
        producer = cluster.producer()
        await producer.start()
        for number in range(50):
            await producer.send(topic, [SimpleRecord(f"{name}-{number}")])

    await asyncio.gather(send(bench.cluster, "a"), send(other, "b"))
    values = await bench.values(topic)
    assert len(values) == 100
    for name in ("a", "b"):
        assert [value for value in values if value.startswith(name)] == [f"{name}-{number}" for number in range(50)]


async def test_everything_is_there_after_a_restart(bench: Any) -> None:
    if not bench.cluster.capabilities.durable:
        pytest.skip("this broker forgets")
    topic = await bench.topic(partitions=2)
    await bench.send(topic, *range(10))
    consumer = await bench.consumer(topic)
    await consumer.commit(bench.ends(await bench.poll(consumer, 10)))
    await bench.cluster.close()
    bench.cluster = await bench.open()
    await bench.send(topic, "new")
    consumer = await bench.consumer(topic)
    assert bench.texts(await bench.poll(consumer, 1)) == ["new"]
    assert (await bench.cluster.admin.describe(topic)).records == 11
