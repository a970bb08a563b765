"""What the sessions of a gateway cost on Kafka, and where they go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from confluent_kafka import Consumer
from prometheus_client import CollectorRegistry

from langstream.gateway.filters import Filter
from langstream.gateway.metrics import GatewayMetrics
from langstream.gateway.subscription import Subscription
from langstream.gateway.tail import Tails
from langstream.topics.contract import Position, encode_position
from langstream.topics.kafka.cluster import KafkaCluster
from tests.topics.kafka.moves import send, topic

SESSIONS = 25


class Gateway:
    """What a gateway has for the sessions of one topic; counts the clients that fetch."""

    def __init__(self, cluster: KafkaCluster, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster = cluster
        self.topic = topic
        self.metrics = GatewayMetrics(CollectorRegistry())
        self.tails = Tails(self.metrics, 0.0)
        self.fetching = 0
        make = cluster._client

        def counted(kind: Any, properties: Any) -> Any:
            self.fetching += kind is Consumer
            return make(kind, properties)

        monkeypatch.setattr(cluster, "_client", counted)

    def session(self, position: Position = "latest") -> Subscription:
        return Subscription(self.tails, self.metrics, self.cluster, self.topic, Filter(()), position)


@pytest.fixture
async def gateway(cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    made = Gateway(cluster, await topic(cluster, "watched", 2), monkeypatch)
    yield made
    await made.tails.close()


async def taken(session: Subscription, count: int) -> list[Any]:
    """Values of the next deliveries, and the position after them."""
    found: list[Any] = []
    for _ in range(count):
        delivery = await session.next(60.0)
        assert delivery is not None, f"only {len(found)} of {count} came"
        found.append(delivery)
    return found


def texts(deliveries: list[Any]) -> list[str]:
    return sorted(delivery.record.value() for delivery in deliveries)


async def test_many_sessions_of_one_topic_share_one_fetch(cluster: KafkaCluster, gateway: Gateway) -> None:
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(gateway.session()) for _ in range(SESSIONS)]
        await send(cluster, gateway.topic, *map(str, range(40)))
        received = await asyncio.gather(*(taken(session, 40) for session in sessions))
    assert all(texts(each) == sorted(map(str, range(40))) for each in received)
    assert gateway.fetching == 1
    assert gateway.metrics.tail_records._value.get() == 40


async def test_sessions_go_on_exactly_behind_what_they_received(cluster: KafkaCluster, gateway: Gateway) -> None:
    await send(cluster, gateway.topic, *map(str, range(20)))
    await send(cluster, gateway.topic, *map(str, range(20, 40)))  # without keys: at another partition
    async with gateway.session("earliest") as session:
        first = await taken(session, 13)
    async with gateway.session(encode_position(first[-1].positions)) as session:
        rest = await taken(session, 27)
        await send(cluster, gateway.topic, "new")
        assert texts(await taken(session, 1)) == ["new"]
    assert texts(first + rest) == sorted(map(str, range(40)))
