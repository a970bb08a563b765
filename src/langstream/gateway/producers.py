"""Producers, shared by the clients of a gateway: opened when first used, closed when idle or when others need the room.

A producer is never closed under a client that holds it: eviction and expiry take it out of the cache, and its last
holder closes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from langstream.errors import LangStreamError
from langstream.gateway.directory import Target
from langstream.gateway.metrics import GatewayMetrics
from langstream.topics.contract import TopicCluster, TopicProducer

log = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, str, str, str, int]
"""Tenant, application, gateway, topic, cluster."""


@dataclass(eq=False, slots=True)
class _Entry:
    cluster: TopicCluster
    """Kept, so that no other cluster gets the same identity while the entry lives."""
    producer: TopicProducer
    starting: asyncio.Task[None]
    used_at: float
    holders: int = 0
    cached: bool = field(default=True)


class ProducerCache:
    """The cache. With `size` 0 every client gets a producer of its own."""

    def __init__(self, metrics: GatewayMetrics, size: int, idle_seconds: float) -> None:
        self._metrics = metrics
        self._size = size
        self._idle_seconds = idle_seconds
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def lease(self, target: Target, gateway_id: str, topic: str) -> AsyncIterator[TopicProducer]:
        """A started producer, kept open while it is held. Raises what starting it raises."""
        key = (target.tenant, target.application_id, gateway_id, topic, id(target.cluster))
        entry = self._look_up(key, target, topic)
        entry.holders += 1
        try:
            try:
                await asyncio.shield(entry.starting)
            except Exception:
                self._take_out(key, entry)
                raise
            yield entry.producer
        finally:
            entry.holders -= 1
            entry.used_at = asyncio.get_running_loop().time()
            self._close_if_unused(entry)

    async def close(self) -> None:
        """Close every producer that nobody holds; holders close the others."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for key, entry in list(self._entries.items()):
            self._take_out(key, entry)
        if self._closing:
            await asyncio.wait(self._closing)

    def _look_up(self, key: Key, target: Target, topic: str) -> _Entry:
        entry = self._entries.get(key)
        if entry is not None:
            self._metrics.cache_hits.inc()
            self._entries.move_to_end(key)
            return entry
        self._metrics.cache_misses.inc()
        producer = target.cluster.producer(options=target.topic_options(topic))
        loop = asyncio.get_running_loop()
        entry = _Entry(target.cluster, producer, loop.create_task(producer.start()), loop.time(), cached=self._size > 0)
        if self._size > 0:
            self._put(key, entry)
        return entry

    def _put(self, key: Key, entry: _Entry) -> None:
        self._entries[key] = entry
        self._metrics.cache_puts.inc()
        while len(self._entries) > self._size:
            oldest, evicted = next(iter(self._entries.items()))
            self._metrics.cache_evictions.inc()
            self._take_out(oldest, evicted)
        self._metrics.cache_size.set(len(self._entries))
        if self._sweeper is None:
            self._sweep_later()

    def _take_out(self, key: Key, entry: _Entry) -> None:
        if self._entries.get(key) is entry:
            del self._entries[key]
            self._metrics.cache_size.set(len(self._entries))
        entry.cached = False
        self._close_if_unused(entry)

    def _close_if_unused(self, entry: _Entry) -> None:
        if entry.cached or entry.holders:
            return
        task = asyncio.create_task(_close(entry), name="close gateway producer")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _sweep_later(self) -> None:
        delay = max(0.01, self._idle_seconds / 4)
        self._sweeper = asyncio.get_running_loop().call_later(delay, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        limit = asyncio.get_running_loop().time() - self._idle_seconds
        for key, entry in list(self._entries.items()):
            if not entry.holders and entry.used_at <= limit:
                self._take_out(key, entry)
        if self._entries:
            self._sweep_later()


async def _close(entry: _Entry) -> None:
    await asyncio.wait([entry.starting])
    _ = entry.starting.cancelled() or entry.starting.exception()
    try:
        await entry.producer.close()
    except LangStreamError as error:
        log.warning("closing a producer failed: %s", error)
