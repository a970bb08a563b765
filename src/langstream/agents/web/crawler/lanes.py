"""Who is visited next: sites take turns, and no site is asked twice at once or sooner than it likes.

A lane is a site with its pending addresses. The ledger is the truth; a lane reads some addresses ahead.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from langstream.agents.web.crawler.ledger import FETCH_ROWS, Entry, Ledger

MAX_TROUBLE_SECONDS: Final = 300.0
PATIENCE: Final = 3
"""So many failures in a row are a matter of the pages; from then on the site itself is left in peace."""

MAX_TROUBLES: Final = 12
"""After so many failures in a row, about half an hour, the rest of the site is left to the next crawl."""


class Lane:
    """A site: what waits to be visited, and when the next visit is welcome."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.busy = False
        self.more = True  # the ledger may have addresses that were not read yet
        self.ready_at = 0.0
        self.pause = 0.0
        self.troubles = 0
        self._cursor = 0
        self._queue: deque[Entry] = deque()
        self._retries: list[tuple[float, int, Entry]] = []

    @property
    def has_work(self) -> bool:
        """Whether anything waits here, be it for a moment in the future."""
        return bool(self._queue or self.more or self._retries)

    def due(self, now: float) -> float:
        """The moment from which there is something to do."""
        if self.wants_addresses:
            return now
        if self._queue:
            return self.ready_at
        return max(self.ready_at, self._retries[0][0])

    @property
    def wants_addresses(self) -> bool:
        """Whether it has to be looked up what there is to do: that needs no request, and so no pause."""
        return self.more and not self._queue

    def put_back(self, entry: Entry) -> None:
        """It comes first next time."""
        self._queue.appendleft(entry)

    def retry(self, entry: Entry, at: float) -> None:
        """It comes again at that moment."""
        heapq.heappush(self._retries, (at, entry.id, entry))

    def wait(self, seconds: float) -> None:
        """No visit for that long, at least."""
        self.ready_at = max(self.ready_at, time.monotonic() + seconds)

    def reached(self) -> None:
        """The site answered."""
        self.troubles = 0

    @property
    def silent(self) -> bool:
        """Whether the site has not let us in for so long that this crawl goes on without it."""
        return self.troubles >= MAX_TROUBLES

    def turned_away(self, seconds: float) -> None:
        """The site wants to be left in peace for a while."""
        self.troubles += 1
        self.wait(seconds)

    def unreachable(self, backoff_seconds: float) -> None:
        """The site did not answer: pages yet to come are spared when that goes on."""
        self.troubles += 1
        if self.troubles >= PATIENCE:
            self.wait(min(MAX_TROUBLE_SECONDS, backoff_seconds * 2.0 ** min(self.troubles, 16)))

    async def look_up(self, ledger: Ledger) -> None:
        """Read some addresses ahead."""
        self.more = False
        entries = await asyncio.to_thread(ledger.pending, self.site, self._cursor)
        self.more = self.more or len(entries) == FETCH_ROWS
        self._queue.extend(entries)
        self._cursor = max([self._cursor, *(entry.id for entry in entries)])

    def next(self) -> Entry:
        """The next address."""
        if self._retries and self._retries[0][0] <= time.monotonic():
            return heapq.heappop(self._retries)[2]
        return self._queue.popleft()


class Lanes:
    """All sites of a crawl."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lanes: dict[str, Lane] = {}
        self._changed = asyncio.Event()

    def wake(self, sites: Iterable[str]) -> None:
        """These sites have new pending addresses."""
        for site in sites:
            lane = self._lanes.get(site)
            if lane is None:
                self._lanes[site] = Lane(site)
            else:
                lane.more = True
            self._changed.set()

    async def take(self) -> tuple[Lane, Entry]:
        """The next address of the site whose turn it is; waits for it. The lane is the caller's until `release`."""
        while True:
            self._changed.clear()
            now = time.monotonic()
            lane = self._earliest(now)
            pause = None if lane is None else lane.due(now) - now
            if lane is None or (pause is not None and pause > 0):
                await self._wait(pause)
                continue
            lane.busy = True
            if not lane.wants_addresses:
                return lane, lane.next()
            try:
                await lane.look_up(self._ledger)
            finally:
                lane.busy = False
                self._changed.set()

    def release(self, lane: Lane) -> None:
        """The visit is over."""
        lane.wait(lane.pause)
        lane.busy = False
        self._changed.set()

    async def drained(self) -> None:
        """Wait until nothing is left to visit."""
        while any(lane.busy or lane.has_work for lane in self._lanes.values()):
            self._changed.clear()
            await self._changed.wait()

    def restart(self) -> None:
        """Addresses of a new crawl are counted from the beginning; pauses stay."""
        for site, lane in self._lanes.items():
            self._lanes[site] = fresh = Lane(site)
            fresh.ready_at, fresh.pause = lane.ready_at, lane.pause

    def _earliest(self, now: float) -> Lane | None:
        free = [lane for lane in self._lanes.values() if not lane.busy and lane.has_work]
        return min(free, key=lambda lane: lane.due(now), default=None)

    async def _wait(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
