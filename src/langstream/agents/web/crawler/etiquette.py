"""The robots.txt of every origin: fetched when first needed, kept for a day, stored across restarts.

An origin without the file (any 4xx) allows everything. One that cannot be asked is asked again later; until then
nothing of it is visited, and when it stays silent an older copy serves, or the origin is left out of this crawl.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Final

from langstream.agents.web.crawler.addresses import Address, parse, resolve
from langstream.agents.web.crawler.fetching import Fetched, Fetcher, FetchFailed
from langstream.agents.web.crawler.ledger import Kind, Ledger
from langstream.agents.web.crawler.robots import EVERYTHING, MAX_BYTES, MAX_DELAY_SECONDS, Robots, parse_robots
from langstream.agents.web.crawler.scope import Scope

logger = logging.getLogger(__name__)

MAX_AGE_SECONDS: Final = 24 * 3600.0
MAX_REDIRECTS: Final = 5
TEMPORARY: Final = frozenset((408, 425, 429))
"""Client errors that are none of the address."""


def is_temporary(status: int) -> bool:
    """Whether the same request may succeed later."""
    return status >= 500 or status in TEMPORARY


class RobotsUnknown(Exception):
    """The rules could not be had. `pause_seconds` is what the server asked for, or None."""

    def __init__(self, reason: str, final: bool, pause_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.final = final
        self.pause_seconds = pause_seconds


class Etiquette:
    """The rules of all origins for one crawler."""

    def __init__(self, ledger: Ledger, fetcher: Fetcher, scope: Scope, token: str, attempts: int) -> None:
        self._ledger = ledger
        self._fetcher = fetcher
        self._scope = scope
        self._token = token
        self._attempts = attempts
        self._rules: dict[str, tuple[Robots, float]] = {}
        self._failures: dict[str, int] = {}

    def rules(self, origin: str) -> Robots | None:
        """The rules, as far as they are known."""
        known = self._rules.get(origin)
        return known[0] if known is not None and known[1] > time.time() else None

    def restart(self) -> None:
        """A new crawl: silent origins get another chance, sitemaps are entered again."""
        self._rules.clear()
        self._failures.clear()

    async def learn(self, address: Address) -> tuple[bool, set[str]]:
        """Find out the rules of an origin: (whether it was asked, the sites that have work now)."""
        origin = address.origin
        stored = await asyncio.to_thread(self._ledger.robots, origin)
        if stored is not None and stored[1] + MAX_AGE_SECONDS > time.time():
            return False, await self._keep(origin, stored[0], stored[1], False)
        if self._failures.get(origin, 0) >= self._attempts:
            raise RobotsUnknown(f"{origin}/robots.txt cannot be had", True)
        try:
            content = await self._fetch(f"{origin}/robots.txt")
        except RobotsUnknown as error:
            self._failures[origin] = self._failures.get(origin, 0) + 1
            if self._failures[origin] < self._attempts and not error.final:
                raise
            self._failures[origin] = self._attempts
            if stored is None:
                logger.warning("nothing of %s is crawled: its robots.txt cannot be had (%s)", origin, error)
                raise RobotsUnknown(str(error), True) from error
            logger.warning("the robots.txt of %s cannot be had (%s): an older one is obeyed", origin, error)
            return True, await self._keep(origin, stored[0], time.time(), False)
        return True, await self._keep(origin, content, time.time(), True)

    async def _keep(self, origin: str, content: str, fetched: float, store: bool) -> set[str]:
        robots = await asyncio.to_thread(parse_robots, content, self._token) if content else EVERYTHING
        if robots.delay_seconds is not None and robots.delay_seconds > MAX_DELAY_SECONDS:
            logger.warning("%s asks for %g s between two requests: it is not crawled", origin, robots.delay_seconds)
        self._rules[origin] = (robots, fetched + MAX_AGE_SECONDS)
        sitemaps = list(self._sitemaps(origin, robots.sitemaps))
        if store:
            return await asyncio.to_thread(self._ledger.store_robots, origin, content, fetched, sitemaps)
        return await asyncio.to_thread(self._ledger.add, sitemaps, 0, Kind.SITEMAP, False)

    def _sitemaps(self, origin: str, named: Iterable[str]) -> Iterable[str]:
        for name in named:
            url = resolve(f"{origin}/robots.txt", name)
            if url is not None and self._scope.admits(url):
                yield url

    async def _fetch(self, url: str) -> str:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask(url)
            target = resolve(url, answer.headers.get("Location", "")) if 300 <= answer.status < 400 else None
            if target is None or parse(target) is None:
                break
            url = target
        if is_temporary(answer.status):
            raise RobotsUnknown(f"status {answer.status}", False, answer.retry_after_seconds)
        if not 200 <= answer.status < 300:
            return ""
        return (answer.body or b"").decode("utf-8", "replace").replace("\0", "")

    async def _ask(self, url: str) -> Fetched:
        try:
            return await self._fetcher.get(
                url, wanted=lambda status, _: 200 <= status < 300, max_bytes=MAX_BYTES, cut=True
            )
        except FetchFailed as error:
            raise RobotsUnknown(str(error), error.retryable is False) from error
