"""What one session reads: the records of a topic from a position on that pass a filter, none missed, none repeated.

A session follows the shared tail whenever it can. It reads by itself while it comes from an earlier position, and
when its client is too slow: what waits for a client is bounded in records and bytes, and what does not fit stays in
the topic until the client has caught up. The position of every delivery is exact in both ways of reading.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from types import TracebackType
from typing import Final, Self

from langstream.errors import BrokerUnavailable
from langstream.gateway.delivery import Delivery
from langstream.gateway.filters import Filter
from langstream.gateway.metrics import GatewayMetrics
from langstream.gateway.tail import Tail, Tails
from langstream.topics.contract import Position, TopicCluster, TopicReader, encode_position

CATCH_UP_RECORDS: Final = 500
CATCH_UP_SECONDS: Final = 1.0


class Subscription:
    """One session's view of a topic. Enter it (`async with`) before the client is told that it is connected.

    `exact` False spares the look at where the topic ends now: for filters that no earlier record can pass.
    """

    def __init__(
        self,
        tails: Tails,
        metrics: GatewayMetrics,
        cluster: TopicCluster,
        topic: str,
        filter: Filter,
        position: Position = "latest",
        *,
        exact: bool = True,
        max_records: int = 1_000,
        max_bytes: int = 4 << 20,
    ) -> None:
        self._tails, self._metrics, self._cluster, self._topic = tails, metrics, cluster, topic
        self._filter, self._position, self._exact = filter, position, exact
        self._max_records, self._max_bytes = max_records, max_bytes
        self._waiting: deque[Delivery] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._error: Exception | None = None
        self._tail: Tail | None = None
        self._reader: TopicReader | None = None
        self._following = False
        self._read_up_to: dict[int, int] = {}
        """Where to read on; while following, only the partitions in which this session is ahead of the tail."""
        self._batch = CATCH_UP_RECORDS

    async def __aenter__(self) -> Self:
        try:
            self._tail = await self._tails.acquire(self._cluster, self._topic)
            if self._position == "latest" and not self._exact:
                self._following = self._tail.join(self, self._filter, None)
            else:
                await self._open_reader(self._position)
                await self._try_to_follow()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Release everything; safe to call twice."""
        tail, self._tail = self._tail, None
        if tail is not None:
            tail.leave(self)
            self._tails.release(tail)
        await self._close_reader()

    async def next(self, timeout_seconds: float | None = None) -> Delivery | None:
        """The next delivery; None after the timeout. Raises what ended the reading."""
        deadline = None if timeout_seconds is None else asyncio.get_running_loop().time() + timeout_seconds
        while not self._waiting:
            if self._error is not None:
                raise self._error
            left = None if deadline is None else deadline - asyncio.get_running_loop().time()
            if left is not None and left <= 0:
                return None
            if self._following:
                await self._wait(left)
            else:
                await self._catch_up(CATCH_UP_SECONDS if left is None else min(left, CATCH_UP_SECONDS))
        delivery = self._waiting.popleft()
        self._waiting_bytes -= len(delivery.frame)
        return delivery

    async def deliveries(self) -> AsyncGenerator[Delivery, None]:
        """Every delivery, for ever. Raises what ended the reading."""
        while True:
            delivery = await self.next()
            assert delivery is not None
            yield delivery

    # --- called by the tail -------------------------------------------------------------------------------------------

    def offer(self, delivery: Delivery, partition: int, offset: int) -> None:
        """A record from the tail. When it does not fit, the session leaves and will read on from before it."""
        if self._read_up_to:
            if delivery.positions[partition] <= self._read_up_to.get(partition, 0):
                return
            delivery = self._own(delivery)
        size = len(delivery.frame)
        if self._waiting and (len(self._waiting) >= self._max_records or self._waiting_bytes + size > self._max_bytes):
            self._fall_behind({**delivery.positions, partition: offset})
            return
        self._waiting.append(delivery)
        self._waiting_bytes += size
        self._wake.set()

    def fail(self, error: Exception) -> None:
        """The tail has ended: what waits is still delivered, then the error is raised."""
        self._following = False
        self._error = error
        self._wake.set()

    # --- following and catching up ------------------------------------------------------------------------------------

    def _fall_behind(self, positions: dict[int, int]) -> None:
        assert self._tail is not None
        self._tail.leave(self)
        self._following = False
        self._read_up_to = positions
        self._metrics.slow_sessions.inc()
        self._wake.set()

    async def _wait(self, seconds: float | None) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _open_reader(self, position: Position) -> None:
        self._reader = self._cluster.reader(self._topic, position)
        await self._reader.start()
        self._read_up_to = dict(self._reader.next_offsets())

    async def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    async def _try_to_follow(self) -> None:
        """Join the tail if this session has read as far; there is no await between the check and the joining."""
        assert self._tail is not None
        self._following = self._tail.join(self, self._filter, self._read_up_to)
        if self._following:
            self._read_up_to = _ahead(self._read_up_to, self._tail.positions)
            await self._close_reader()

    def _own(self, delivery: Delivery) -> Delivery:
        """The delivery with the position of this session, until the tail is as far in every partition."""
        self._read_up_to = _ahead(self._read_up_to, delivery.positions)
        if not self._read_up_to:
            return delivery
        return Delivery(delivery.record, {**delivery.positions, **self._read_up_to})

    async def _catch_up(self, seconds: float) -> None:
        if self._reader is None:
            await self._open_reader(encode_position(self._read_up_to))
        assert self._reader is not None
        runs = await self._reader.read(self._batch, seconds)
        positions = self._read_up_to
        records = size = 0
        for run in runs:
            records += len(run.records)
            for offset, record in zip(run.offsets, run.records, strict=True):
                positions[run.partition] = offset + 1
                if self._filter.passes(record.header_items()):
                    delivery = Delivery(record, dict(positions))
                    self._waiting.append(delivery)
                    size += len(delivery.frame)
        self._waiting_bytes += size
        self._metrics.catch_up_records.inc(records)
        self._read_up_to = {**positions, **self._reader.next_offsets()}
        if size > self._max_bytes or records > self._max_records:
            self._batch = max(1, self._batch // 4)
        elif size * 4 < self._max_bytes:
            self._batch = min(CATCH_UP_RECORDS, self._max_records, self._batch * 2)
        await self._try_to_follow()


def _ahead(mine: Mapping[int, int], theirs: Mapping[int, int]) -> dict[int, int]:
    return {partition: offset for partition, offset in mine.items() if offset > theirs.get(partition, 0)}


def lost_connection(error: Exception) -> str:
    """What a client is told when the reading of its topic ended."""
    what = "the streaming cluster cannot be reached" if isinstance(error, BrokerUnavailable) else "the topic failed"
    return f"{what}: {error}"
