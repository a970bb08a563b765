"""The producer cache."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from langstream.application.model import Application
from langstream.errors import BrokerUnavailable
from langstream.gateway.directory import Target
from langstream.gateway.metrics import GatewayMetrics
from langstream.gateway.producers import ProducerCache


class Producer:
    def __init__(self, fails: bool) -> None:
        self.fails = fails
        self.started = self.closed = 0

    async def start(self) -> None:
        self.started += 1
        if self.fails:
            raise BrokerUnavailable("away")

    async def close(self) -> None:
        self.closed += 1


class Cluster:
    def __init__(self) -> None:
        self.producers: list[Producer] = []
        self.fails = False

    def producer(self, *, options: Any = None) -> Producer:
        self.producers.append(Producer(self.fails))
        return self.producers[-1]


def a_target(cluster: Cluster) -> Target:
    return Target("t", "a", Application({}, {}), frozenset(), cluster, lambda agent: None)  # type: ignore[arg-type]


def a_cache(size: int = 2, seconds: float = 600) -> ProducerCache:
    return ProducerCache(GatewayMetrics(CollectorRegistry()), size, seconds)


async def test_an_evicted_producer_is_closed_when_its_last_holder_lets_go() -> None:
    cluster, cache = Cluster(), a_cache(size=2)
    target = a_target(cluster)
    stacks = [AsyncExitStack() for _ in range(3)]
    for stack in stacks:
        await stack.enter_async_context(cache.lease(target, "g", "one"))
    for topic in ("two", "three"):
        async with cache.lease(target, "g", topic):
            pass
    first = cluster.producers[0]
    assert first.started == 1
    for stack in stacks:
        assert first.closed == 0
        await stack.aclose()
    await asyncio.sleep(0.01)
    assert first.closed == 1
    async with cache.lease(target, "g", "one"):
        assert len(cluster.producers) == 4
    await cache.close()
    assert [producer.closed for producer in cluster.producers] == [1, 1, 1, 1]


async def test_clients_of_other_gateways_and_topics_have_other_producers() -> None:
    cluster, cache = Cluster(), a_cache(size=10)
    for gateway, topic in (("g", "one"), ("g", "two"), ("h", "one"), ("g", "one")):
        async with cache.lease(a_target(cluster), gateway, topic):
            pass
    assert len(cluster.producers) == 3
    await cache.close()


async def test_idle_producers_are_closed() -> None:
    cluster, cache = Cluster(), a_cache(seconds=0.02)
    async with cache.lease(a_target(cluster), "g", "one"):
        await asyncio.sleep(0.05)
        assert cluster.producers[0].closed == 0
    async with asyncio.timeout(60):
        while not cluster.producers[0].closed:  # noqa: ASYNC110 - closing has no event
            await asyncio.sleep(0.01)
    await cache.close()


async def test_without_a_cache_every_client_has_its_own() -> None:
    cluster, cache = Cluster(), a_cache(size=0)
    for _ in range(2):
        async with cache.lease(a_target(cluster), "g", "one"):
            pass
    await cache.close()
    assert [(each.started, each.closed) for each in cluster.producers] == [(1, 1), (1, 1)]


async def test_a_producer_that_cannot_start_is_not_kept() -> None:
    cluster, cache = Cluster(), a_cache()
    cluster.fails = True
    with pytest.raises(BrokerUnavailable):
        await cache.lease(a_target(cluster), "g", "one").__aenter__()
    cluster.fails = False
    async with cache.lease(a_target(cluster), "g", "one"):
        pass
    await cache.close()
    assert [each.closed for each in cluster.producers] == [1, 1]
