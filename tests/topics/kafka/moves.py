"""The few moves that tests on a real Kafka repeat."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from langstream.records import SimpleRecord
from langstream.topics.contract import TopicSpec
from langstream.topics.kafka.cluster import KafkaCluster
from langstream.topics.kafka.consumer import KafkaConsumer

Open = Callable[..., Awaitable[KafkaCluster]]
"""Opens a cluster with further `admin` properties and configuration; it is closed after the test."""


async def topic(cluster: KafkaCluster, name: str, partitions: int = 1, **config: Any) -> str:
    """A new topic; its name is its own, so that tests on one broker do not meet."""
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    await cluster.admin.create(TopicSpec(name, partitions, config))
    return name


async def send(cluster: KafkaCluster, topic: str, *records: SimpleRecord | str) -> None:
    producer = cluster.producer()
    await producer.send(topic, [SimpleRecord(each) if isinstance(each, str) else each for each in records])
    await producer.close()


async def member(cluster: KafkaCluster, topic: str, **options: Any) -> KafkaConsumer:
    """A started member of the topic's only group."""
    consumer = cluster.consumer(
        topic, f"group-of-{topic}", options={f"consumer.{name}": value for name, value in options.items()}
    )
    await consumer.start()
    return consumer


async def values(consumer: Any, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        runs = await consumer.poll(count - len(found), 60.0)
        assert runs, f"only {len(found)} of {count} records came"
        found += [record.value() for run in runs for record in run.records]
    return found


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1200):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")
