"""One reader at the end of a topic for all sessions that follow it.

A `Tail` reads every record once and hands it to the sessions whose filters it passes. `positions` is the next offset of
every partition, exact to the record, so that a session coming from elsewhere can join without a gap or a repeat: it
joins only when it has read at least as far as the tail, and skips what it has already seen.

A reader that fails ends the tail, and with it every session; none stays open and silent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final, Protocol

from langstream.errors import TopicError
from langstream.gateway.delivery import Delivery
from langstream.gateway.filters import Filter, FilterIndex
from langstream.gateway.metrics import GatewayMetrics
from langstream.topics.contract import Fetched, TopicCluster

log = logging.getLogger(__name__)

READ_RECORDS: Final = 500
READ_SECONDS: Final = 5.0
DELIVERIES_PER_TURN: Final = 256
"""After so many hand-overs other tasks get their turn: sockets are written while a burst is still being sorted."""


class Follower(Protocol):
    """A session that follows a tail."""

    def offer(self, delivery: Delivery, partition: int, offset: int) -> None:
        """Take the record; it may leave the tail instead, when it has no room."""

    def fail(self, error: Exception) -> None:
        """The tail has ended."""


class Tail:
    """The shared reader of one topic."""

    def __init__(self, cluster: TopicCluster, topic: str, metrics: GatewayMetrics) -> None:
        self.cluster = cluster
        self.topic = topic
        self.positions: dict[int, int] = {}
        self.error: Exception | None = None
        self._metrics = metrics
        self._reader = cluster.reader(topic, "latest")
        self._followers: FilterIndex[Follower] = FilterIndex()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Fix the position at the end of the topic and begin to read."""
        try:
            await self._reader.start()
        except BaseException:
            await self._reader.close()
            raise
        self.positions = dict(self._reader.next_offsets())
        self._metrics.tails.inc()
        self._task = asyncio.create_task(self._run(), name=f"gateway tail of {self.topic}")

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def join(self, follower: Follower, filter: Filter, read_up_to: Mapping[int, int] | None) -> bool:
        """Follow from `read_up_to` (partition → next offset) on; None: from wherever the tail is now.

        False if the tail is ahead of that: the follower has to read on by itself first.
        """
        if self.error is not None:
            raise self.error
        if read_up_to is not None and any(
            read_up_to.get(partition, 0) < offset for partition, offset in self.positions.items()
        ):
            return False
        self._followers.add(follower, filter)
        return True

    def leave(self, follower: Follower) -> None:
        """Follow no longer."""
        self._followers.remove(follower)

    async def _run(self) -> None:
        try:
            while True:
                for run in await self._reader.read(READ_RECORDS, READ_SECONDS):
                    await self._hand_over(run)
                self.positions.update(self._reader.next_offsets())
        except Exception as error:
            log.warning("reading topic %s failed: %s", self.topic, error)
            self._end(error)
        finally:
            self._metrics.tails.dec()
            await self._reader.close()

    async def _hand_over(self, run: Fetched) -> None:
        partition, positions = run.partition, self.positions
        self._metrics.tail_records.inc(len(run.records))
        deliveries = 0
        if not len(self._followers):
            positions[partition] = run.next_offset
            return
        for offset, record in zip(run.offsets, run.records, strict=True):
            before = positions.get(partition, 0)
            followers = self._followers.matching(record.header_items())
            positions[partition] = offset + 1
            if followers:
                delivery = Delivery(record, dict(positions))
                for follower in followers:
                    follower.offer(delivery, partition, before)
                deliveries += len(followers)
                if deliveries >= DELIVERIES_PER_TURN:
                    deliveries = 0
                    await asyncio.sleep(0)

    def _end(self, error: Exception) -> None:
        failure = error if isinstance(error, TopicError) else TopicError(f"{self.topic} cannot be read on: {error}")
        self.error = failure
        for follower in self._followers:
            self._followers.remove(follower)
            follower.fail(failure)


class Tails:
    """The tails of all topics in use. A tail lives from its first session until a while after its last."""

    def __init__(self, metrics: GatewayMetrics, linger_seconds: float) -> None:
        self._metrics = metrics
        self._linger_seconds = linger_seconds
        self._tails: dict[tuple[int, str], tuple[Tail, asyncio.Task[None]]] = {}
        self._holders: dict[Tail, int] = {}
        self._timers: dict[Tail, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def acquire(self, cluster: TopicCluster, topic: str) -> Tail:
        """The tail of the topic, started; give it back with `release`. Raises what opening the reader raises."""
        key = (id(cluster), topic)
        if key not in self._tails or self._tails[key][0].error is not None:
            self._tails[key] = self._open(cluster, topic)
        tail, starting = self._tails[key]
        self._hold(tail)
        try:
            await asyncio.shield(starting)
        except BaseException:
            self.release(tail)
            raise
        return tail

    def release(self, tail: Tail) -> None:
        """One session less. The last one starts the clock; a tail that failed goes at once."""
        self._holders[tail] -= 1
        if not self._holders[tail]:
            delay = 0.0 if tail.error is not None else self._linger_seconds
            self._timers[tail] = asyncio.get_running_loop().call_later(delay, self._drop, tail)

    async def close(self) -> None:
        """Close every tail."""
        for timer in self._timers.values():
            timer.cancel()
        for tail, starting in self._tails.values():
            starting.cancel()
            self._shut_later(tail, starting)
        self._tails.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    def _open(self, cluster: TopicCluster, topic: str) -> tuple[Tail, asyncio.Task[None]]:
        tail = Tail(cluster, topic, self._metrics)

        def started(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and isinstance(error := task.exception(), Exception):
                tail.error = error

        starting = asyncio.create_task(tail.start(), name=f"open gateway tail of {topic}")
        starting.add_done_callback(started)
        return tail, starting

    def _hold(self, tail: Tail) -> None:
        self._holders[tail] = self._holders.get(tail, 0) + 1
        timer = self._timers.pop(tail, None)
        if timer is not None:
            timer.cancel()

    def _drop(self, tail: Tail) -> None:
        del self._holders[tail], self._timers[tail]
        key = (id(tail.cluster), tail.topic)
        if key in self._tails and self._tails[key][0] is tail:
            self._shut_later(*self._tails.pop(key))

    def _shut_later(self, tail: Tail, starting: asyncio.Task[None]) -> None:
        async def shut() -> None:
            await asyncio.wait([starting])
            await tail.close()

        task = asyncio.create_task(shut(), name=f"close gateway tail of {tail.topic}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
