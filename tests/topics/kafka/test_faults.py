"""A broker that is killed in the middle of the work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langstream.errors import BrokerUnavailable, Fenced
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition, TopicSpec
from langstream.topics.kafka import open_cluster
from langstream.topics.kafka.cluster import KafkaCluster
from tests.servers.kafka import Kafka, kafka

COUNT = 3_000


@pytest.fixture
def own_server(kafka_server: Kafka, tmp_path: Path) -> Iterator[Kafka]:
    """A broker to be killed; where the common one cannot be started, this cannot either."""
    with kafka(tmp_path) as server:
        yield server


async def pass_on(cluster: KafkaCluster, source: str, target: str, done: asyncio.Event) -> None:
    """What a node does: transactions, patience while the broker is away, joining anew when fenced."""
    while not done.is_set():
        consumer, producer = cluster.consumer(source, "group"), cluster.producer()
        try:
            await consumer.start()
            while not done.is_set():
                for run in await consumer.poll(50, 0.5):
                    offsets = {TopicPartition(source, run.partition): run.next_offset}
                    await patiently(producer, [(target, run.records)], consumer, offsets)
        except (Fenced, BrokerUnavailable):
            pass
        finally:
            await consumer.close()
            await producer.close()


async def patiently(producer: Any, sends: Any, consumer: Any, offsets: Any) -> None:
    while True:
        try:
            await producer.transact(sends, consumer, offsets)
            return
        except BrokerUnavailable:
            await asyncio.sleep(0.2)


@pytest.mark.slow
async def test_a_killed_broker_loses_and_repeats_nothing(own_server: Kafka) -> None:
    admin = {"bootstrap.servers": own_server.bootstrap, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    cluster = open_cluster({"admin": admin}, None)
    try:
        await kill_in_the_middle(cluster, own_server)
    finally:
        await cluster.close()


async def kill_in_the_middle(cluster: KafkaCluster, own_server: Kafka) -> None:
    await cluster.start()
    await cluster.admin.create(TopicSpec("source", 2))
    await cluster.admin.create(TopicSpec("target"))
    sender = cluster.producer()
    await sender.send("source", [SimpleRecord(str(number), str(number)) for number in range(COUNT)])
    done = asyncio.Event()
    working = asyncio.create_task(pass_on(cluster, "source", "target", done))
    reader = cluster.reader("target", "earliest")
    await reader.start()
    found: list[Any] = []
    killed = False
    async with asyncio.timeout(240):
        while len(found) < COUNT:
            found += [record.value() for run in await reader.read(1000, 0.2) for record in run.records]
            if found and not killed:
                killed = True
                await asyncio.to_thread(own_server.kill, 0)
                await asyncio.to_thread(own_server.start_broker, 0)
    assert not await reader.read(1000, 2.0)
    done.set()
    await working
    assert sorted(found, key=int) == [str(number) for number in range(COUNT)]
