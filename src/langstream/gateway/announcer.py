"""Telling the nodes what is cancelled: announcements on a topic of the application that clients cannot reach.

An announcement names nothing but headers that the gateway itself has set. Those of one moment are written together. One
that cannot be written is lost: what nobody waits for is answered then.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, TypeAlias

from langstream.gateway.directory import Target
from langstream.gateway.metrics import GatewayMetrics
from langstream.gateway.producers import ProducerCache
from langstream.runtime.cancellation import Cancellation

log = logging.getLogger(__name__)

WRITE_SECONDS: Final = 10.0
HOLDER: Final = "(cancellations)"
"""Stands for the gateway among the holders of producers."""

Key: TypeAlias = tuple[str, str, int]


class Announcer:
    """Writes announcements in the background, those of an application one after the other."""

    def __init__(self, producers: ProducerCache, metrics: GatewayMetrics) -> None:
        self._producers = producers
        self._metrics = metrics
        self._waiting: dict[Key, list[Cancellation]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def announce(self, target: Target, cancellation: Cancellation) -> None:
        """To be written as soon as possible."""
        key = (target.tenant, target.application_id, id(target.cluster))
        if key in self._waiting:
            self._waiting[key].append(cancellation)
            return
        self._waiting[key] = [cancellation]
        task = asyncio.create_task(self._write_all(key, target), name="announce cancellations")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _write_all(self, key: Key, target: Target) -> None:
        while cancellations := self._waiting[key]:
            self._waiting[key] = []
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    await self._write(target, cancellations)
            except Exception as error:
                reason = str(error) or type(error).__name__
                log.warning("%d cancellations could not be announced: %s", len(cancellations), reason)
        del self._waiting[key]

    async def _write(self, target: Target, cancellations: list[Cancellation]) -> None:
        topic = target.cancellations
        assert topic is not None
        async with self._producers.lease(target, HOLDER, topic) as producer:
            await producer.send(topic, [cancellation.record() for cancellation in cancellations])
        self._metrics.cancellations.inc(len(cancellations))
