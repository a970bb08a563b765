"""The few moves that tests on a real Pulsar repeat."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from langstream.records import SimpleRecord
from langstream.topics.contract import Fetched, TopicPartition, TopicSpec
from langstream.topics.pulsar.cluster import PulsarCluster
from langstream.topics.pulsar.consumer import PulsarConsumer
from langstream.topics.pulsar.shared import SharedPulsarConsumer

Open = Callable[..., Awaitable[PulsarCluster]]
"""Opens a cluster with further configuration; it is closed after the test."""


async def topic(cluster: PulsarCluster, name: str, partitions: int = 1, **config: Any) -> str:
    """A new topic; its name is its own, so that tests on one broker do not meet."""
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    await cluster.admin.create(TopicSpec(name, partitions, config))
    return name


async def send(cluster: PulsarCluster, topic: str, *records: SimpleRecord | str, **options: Any) -> None:
    producer = cluster.producer(options={f"producer.{name}": value for name, value in options.items()})
    await producer.send(topic, [SimpleRecord(each) if isinstance(each, str) else each for each in records])
    await producer.close()


async def member(cluster: PulsarCluster, topic: str, **options: Any) -> PulsarConsumer | SharedPulsarConsumer:
    """A started member of the topic's only group."""
    consumer = cluster.consumer(
        topic, f"group-of-{topic}", options={f"consumer.{name}": value for name, value in options.items()}
    )
    await consumer.start()
    return consumer


async def runs(consumer: Any, count: int) -> list[Fetched]:
    """So many records."""
    found: list[Fetched] = []
    while (missing := count - sum(len(run.records) for run in found)) > 0:
        polled = await consumer.poll(missing, 60.0)
        assert polled, f"{missing} of {count} records did not come"
        found += polled
    return found


async def values(consumer: Any, count: int) -> list[Any]:
    return [record.value() for run in await runs(consumer, count) for record in run.records]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in the background."""
    async with asyncio.timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def until_true(condition: Callable[[], bool]) -> None:
    """As `until`, for tests without an event loop."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def ends(fetched: list[Fetched]) -> dict[TopicPartition, int]:
    return {TopicPartition(run.topic, run.partition): run.next_offset for run in fetched}
