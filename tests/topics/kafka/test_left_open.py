"""A process that was killed in the middle of a transaction: whoever reads on ends it."""

from __future__ import annotations

import asyncio

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from langstream.topics.kafka.cluster import KafkaCluster
from langstream.topics.kafka.names import host
from tests.servers.kafka import Kafka
from tests.topics.kafka.moves import member, send, topic, values


def leave_open(bootstrap: str, source: str, name: str) -> None:
    """As a process does that is killed; the brokers would wait for it ten minutes."""
    common = {"bootstrap.servers": bootstrap}
    producer = Producer({**common, "transactional.id": name, "transaction.timeout.ms": 600_000})
    consumer = Consumer({**common, "group.id": f"group-of-{source}"})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(source, b"never committed")
    producer.send_offsets_to_transaction([KafkaPartition(source, 0, 1)], consumer.consumer_group_metadata(), 60)
    consumer.close()
    producer.purge()


@pytest.mark.timeout(200)
@pytest.mark.parametrize("number", [0, 1])
async def test_a_transaction_that_a_dead_process_left_open_holds_up_nobody(
    cluster: KafkaCluster, kafka_server: Kafka, number: int
) -> None:
    source = await topic(cluster, "source")
    await send(cluster, source, "a", "b")
    name = f"langstream-group-of-{source}-{host()}-{number}"
    await asyncio.to_thread(leave_open, kafka_server.bootstrap, source, name)
    consumer = await member(cluster, source)
    assert await values(consumer, 2) == ["a", "b"]
