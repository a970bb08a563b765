"""What waits to be read and what waits to be committed. Workers pause when nobody reads."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from langstream.agents.web.crawler.ledger import Delivered, Entry, State
from langstream.records import Record, SimpleRecord

MAX_RECORDS: Final = 64
MAX_BYTES: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Delivery:
    """A record under way, and what is written down when it is safe. Without `page`: the report of a deletion."""

    record: SimpleRecord
    entry: Entry
    state: State
    page: Delivered | None
    size: int = 0


class Outbox:
    """Deliveries in order."""

    def __init__(self) -> None:
        self._waiting: deque[Delivery] = deque()
        self._under_way: dict[int, Delivery] = {}
        self._bytes = 0
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()

    def put(self, delivery: Delivery) -> None:
        """One more to read."""
        self._waiting.append(delivery)
        self._bytes += delivery.size
        self._changed.set()

    def nudge(self) -> None:
        """Whoever waits for records looks up."""
        self._changed.set()

    def fail(self, error: BaseException) -> None:
        """The crawl broke; whoever reads learns of it."""
        self._failure = error
        self._changed.set()

    async def take(self, count: int, patience_seconds: float) -> list[Record]:
        """Up to so many records; none when none came in time. A cancelled call loses nothing."""
        if not self._waiting and self._failure is None:
            await self._wait(patience_seconds)
        if self._failure is not None:
            raise self._failure
        records: list[Record] = []
        while self._waiting and len(records) < count:
            delivery = self._waiting.popleft()
            self._bytes -= delivery.size
            self._under_way[id(delivery.record)] = delivery
            records.append(delivery.record)
        self._changed.set()
        return records

    def settled(self, records: Sequence[Record]) -> list[Delivery]:
        """The deliveries of these records, which stay under way until `done`."""
        return [delivery for record in records if (delivery := self._under_way.get(id(record))) is not None]

    def done(self, records: Sequence[Record]) -> None:
        """They are written down."""
        for record in records:
            self._under_way.pop(id(record), None)
        self._changed.set()

    async def room(self) -> None:
        """Wait until another record may be put."""
        while len(self._waiting) >= MAX_RECORDS or self._bytes >= MAX_BYTES:
            await self._wait(None)

    async def empty(self) -> None:
        """Wait until everything is committed."""
        while self._waiting or self._under_way:
            await self._wait(None)

    @property
    def under_way(self) -> int:
        """Records that wait to be read or committed."""
        return len(self._waiting) + len(self._under_way)

    async def _wait(self, seconds: float | None) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
