"""Looking for new, changed and vanished objects, one page of the listing after the other.

An object that is too large, cannot be read or may still be written to is left out or waited for.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Collection

from langstream.agents.storage.place import Listing, Place, Share
from langstream.agents.storage.policy import Policy
from langstream.agents.storage.tracking import Tracking
from langstream.errors import ServiceError
from langstream.services.objects.contract import Version

logger = logging.getLogger(__name__)


class Looking:
    """What was found: `ready` objects to read, and `gone` ones; `wake_after`: seconds to wait if there are none."""

    def __init__(self, place: Place, policy: Policy, known: Tracking, busy: Collection[str]) -> None:
        """`busy` are the names being deleted at the moment."""
        self.ready: deque[tuple[str, Version]] = deque()
        self.gone: deque[str] = deque()
        self.wake_after = 0.0
        self.share = Share()
        self._place = place
        self._policy = policy
        self._known = known
        self._busy = busy
        self._pages: AsyncGenerator[Listing, None] | None = None
        self._listed: set[str] = set()
        self._unreadable: list[str] = []
        self._first_seen: dict[str, tuple[Version, float]] = {}
        self._left_out: dict[str, Version] = {}

    @property
    def begins(self) -> bool:
        """Whether `go_on` will begin a new listing."""
        return self._pages is None

    async def go_on(self) -> None:
        """Go on with the listing, or begin one, until there is something to do or it is over."""
        if self._pages is None:
            self._pages, self._listed, self._unreadable = self._place.look(), set(), []
            self.wake_after = self._policy.idle_time
        while not self.ready and self._pages is not None:
            try:
                listing = await anext(self._pages, None)
            except ServiceError as error:
                await self.stop()
                if not error.retryable:
                    raise
                logger.warning("%s: trying again in %s s", error, self._policy.idle_time)
                return
            except BaseException:
                await self.stop()  # or the rest of the listing would be taken for gone
                raise
            if listing is None:
                self._finish()
            else:
                self._take(listing)

    async def stop(self) -> None:
        """Forget a listing that is not over."""
        pages, self._pages = self._pages, None
        if pages is not None:
            await pages.aclose()

    def leave_out(self, name: str, version: Version) -> None:
        """Do not come with this version again."""
        self._left_out[name] = version

    def _take(self, listing: Listing) -> None:
        self._unreadable += listing.unreadable
        names = [name for name in sorted(listing.files) if name in self.share]
        self._listed.update(names)
        now, clock = time.time(), time.monotonic()
        for name in names:
            version = listing.files[name]
            if self._known.is_known(name, version) or self._is_left_out(name, version):
                continue
            pause = self._unsettled(name, version, now, clock)
            if pause > 0:
                self.wake_after = min(self.wake_after, pause)
            else:
                self.ready.append((name, version))

    def _finish(self) -> None:
        """All pages were seen: what is on none of them is gone."""
        complete = Listing(unreadable=self._unreadable)
        self.gone += [
            name for name in self._known.missing(self._listed) if self._is_ours(name) and complete.knows_about(name)
        ]
        self._first_seen = {name: seen for name, seen in self._first_seen.items() if name in self._listed}
        self._left_out = {name: version for name, version in self._left_out.items() if name in self._listed}
        self._pages, self._listed = None, set()

    def _is_ours(self, name: str) -> bool:
        """Whether this source would see the object, and is not about to delete it."""
        return name in self.share and name not in self._busy and self._place.covers(name)

    def _is_left_out(self, name: str, version: Version) -> bool:
        if version.looks_like(self._left_out.get(name)):
            return True
        if version.size <= self._policy.max_bytes:
            return False
        self.leave_out(name, version)
        logger.warning(
            "%s has %d bytes, more than %s (%d): it is left out",
            self._place.address(name),
            version.size,
            self._policy.size_option,
            self._policy.max_bytes,
        )
        return True

    def _unsettled(self, name: str, version: Version, now: float, clock: float) -> float:
        """Seconds until the object counts as completely written. Clocks may differ: being seen twice counts too."""
        settle = self._policy.settle_time
        if not settle:
            return 0.0
        seen, since = self._first_seen.get(name, (version, clock))
        if seen != version:
            since = clock
        self._first_seen[name] = (version, since)
        age = now - version.modified_ns / 1e9
        return max(0.0, settle - max(age, clock - since))
