"""One visit to one address: ask, understand, enter what was found, hand on what is new.

Whatever happens, the address ends in a state of the ledger, waits for another attempt, or waits for the commit of its
record. What goes wrong with one address never stops the crawl.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from langstream.agents.web.crawler.addresses import parse, resolve
from langstream.agents.web.crawler.etiquette import Etiquette, RobotsUnknown, is_temporary
from langstream.agents.web.crawler.fetching import Fetched, Fetcher, FetchFailed
from langstream.agents.web.crawler.lanes import Lane, Lanes
from langstream.agents.web.crawler.ledger import Delivered, Entry, Kind, Ledger, State
from langstream.agents.web.crawler.options import WebCrawlerConfiguration
from langstream.agents.web.crawler.pages import Page, Reading, is_text, read_page
from langstream.agents.web.crawler.reports import Reports
from langstream.agents.web.crawler.robots import EVERYTHING, Robots
from langstream.agents.web.crawler.scope import Scope
from langstream.agents.web.crawler.sitemaps import MAX_BYTES as MAX_SITEMAP_BYTES
from langstream.agents.web.crawler.sitemaps import read_sitemap

logger = logging.getLogger(__name__)

GONE: Final = frozenset((404, 410, 451))
MAX_PAUSE_SECONDS: Final = 3600.0
"""The longest `Retry-After` that is waited for."""
MAX_BACKOFF_SECONDS: Final = 300.0
MAX_SITEMAP_LEVELS: Final = 5
_NO_CONTENT: Final = (204, 205)
_VANISHED: Final = (State.UNWANTED, State.EXCLUDED, State.REDIRECT, State.GONE)
"""In these states a page delivered earlier is not to be had any more."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a visit works with."""

    options: WebCrawlerConfiguration
    ledger: Ledger
    fetcher: Fetcher
    etiquette: Etiquette
    lanes: Lanes
    reports: Reports
    reading: Reading
    scope: Scope
    backoff_seconds: float = 1.0


class Visitor:
    """Makes visits."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._options = parts.options
        self._ledger = parts.ledger
        self._conditional = "content_unchanged" not in parts.options.emit_content_diff

    async def visit(self, lane: Lane, entry: Entry) -> None:
        """Deal with the address. The lane is ours meanwhile."""
        lane.pause = 0.0  # no request, no pause
        address = parse(entry.url)
        if address is None or not self._parts.scope.admits(entry.url):
            await self._close(entry, State.EXCLUDED)
            return
        if lane.silent:
            await self._give_up(entry, "its site does not let the crawler in any more")
            return
        robots: Robots | None = EVERYTHING
        if self._options.handle_robots_file:
            robots = self._parts.etiquette.rules(address.origin)
            if robots is None:
                await self._learn_rules(lane, entry)
                return
        assert robots is not None
        if not robots.allows(address.target):
            await self._close(entry, State.EXCLUDED)
            return
        lane.pause = max(self._options.min_time_between_requests / 1000, robots.delay_seconds or 0)
        try:
            await (self._visit_sitemap(lane, entry) if entry.kind is Kind.SITEMAP else self._visit_page(lane, entry))
        except FetchFailed as error:
            await self._not_fetched(lane, entry, error)

    # --- robots.txt and sitemaps ------------------------------------------------------------------------------------

    async def _learn_rules(self, lane: Lane, entry: Entry) -> None:
        address = parse(entry.url)
        assert address is not None
        try:
            asked, sites = await self._parts.etiquette.learn(address)
        except RobotsUnknown as error:
            if error.final:
                await self._close(entry, State.FAILED)
                return
            lane.put_back(entry)
            lane.unreachable(self._parts.backoff_seconds)
            lane.wait(_pause(error.pause_seconds) or self._parts.backoff_seconds)
            return
        lane.put_back(entry)
        if asked:
            lane.pause = self._options.min_time_between_requests / 1000
        self._parts.lanes.wake(sites)

    async def _visit_sitemap(self, lane: Lane, entry: Entry) -> None:
        answer = await self._parts.fetcher.get(
            entry.url, wanted=lambda status, _: 200 <= status < 300, max_bytes=MAX_SITEMAP_BYTES, cut=True
        )
        if is_temporary(answer.status):
            await self._again(lane, entry, f"status {answer.status}", answer)
            return
        lane.reached()
        target = resolve(entry.url, answer.headers.get("Location", "")) if 300 <= answer.status < 400 else None
        if target is not None and target != entry.url and self._parts.scope.admits(target):
            await self._enter([target], entry.depth + 1, Kind.SITEMAP)
        if answer.body is not None:
            await self._read_sitemap(entry, answer.body)
        await self._close(entry, State.UNWANTED)

    async def _read_sitemap(self, entry: Entry, body: bytes) -> None:
        sitemap = await asyncio.to_thread(read_sitemap, body)
        if not sitemap.complete:
            logger.info("%s is incomplete or too large: what could be read is used", entry.url)
        pages = (resolve(entry.url, page) for page in sitemap.pages)
        await self._enter([page for page in pages if page is not None and self._admits(page)], 0, Kind.PAGE)
        if entry.depth < MAX_SITEMAP_LEVELS:
            children = (resolve(entry.url, child) for child in sitemap.sitemaps)
            admitted = [child for child in children if child is not None and self._parts.scope.admits(child)]
            await self._enter(admitted, entry.depth + 1, Kind.SITEMAP)

    # --- pages ------------------------------------------------------------------------------------------------------

    async def _visit_page(self, lane: Lane, entry: Entry) -> None:
        known = await asyncio.to_thread(self._ledger.delivered, entry.url) if entry.seen else None
        headers = _conditions(known) if self._conditional else {}
        answer = await self._parts.fetcher.get(entry.url, headers=headers, wanted=self._wants)
        if _leads_to(entry.url, answer) == entry.url:  # it wants its cookie back
            answer = await self._parts.fetcher.get(entry.url, headers=headers, wanted=self._wants)
        if not is_temporary(answer.status):
            lane.reached()
        if answer.status == 304 and known is not None and headers:
            page = replace(known, etag=answer.headers.get("ETag", known.etag))
            await self._same(entry, page)
        elif 300 <= answer.status < 400:
            await self._redirected(entry, answer)
        elif is_temporary(answer.status):
            await self._again(lane, entry, f"status {answer.status}", answer)
        elif not 200 <= answer.status < 300:
            logger.info("%s answers with status %d", entry.url, answer.status)
            await self._close(entry, State.GONE if answer.status in GONE else State.FAILED)
        elif answer.body is None or answer.status in _NO_CONTENT:
            await self._close(entry, State.UNWANTED)
        else:
            await self._understand(entry, answer, answer.body, known)

    async def _redirected(self, entry: Entry, answer: Fetched) -> None:
        target = _leads_to(entry.url, answer)
        if target is None or target == entry.url:
            logger.info("%s redirects to nowhere", entry.url)
            await self._close(entry, State.FAILED)
        else:
            await self._close(entry, State.REDIRECT, self._admitted([target], entry))

    async def _understand(self, entry: Entry, answer: Fetched, body: bytes, known: Delivered | None) -> None:
        page, links, enter = await asyncio.to_thread(self._take_in, entry, answer, body, known)
        self._parts.lanes.wake(enter)
        if page.is_binary and not self._options.allow_non_html_contents:
            await self._close(entry, State.UNWANTED)
        elif not page.index:
            await self._close(entry, State.EXCLUDED, links)
        elif not await self._left_to_canonical(entry, page, links):
            await self._emit(entry, answer, page, known)

    def _take_in(
        self, entry: Entry, answer: Fetched, body: bytes, known: Delivered | None
    ) -> tuple[Page, list[str], set[str]]:
        """In one go in a thread: read the page and enter its links. Binary contents have none."""
        robots_tag = answer.headers.get("X-Robots-Tag", "")
        page = read_page(entry.url, body, answer.content_type, robots_tag, self._parts.reading)
        links = self._admitted(page.links, entry)
        return page, links, self._ledger.add(links, entry.depth + 1) if links else set()

    async def _left_to_canonical(self, entry: Entry, page: Page, links: Sequence[str]) -> bool:
        target = page.canonical
        if entry.plain or target is None or target == entry.url or not self._admits(target):
            return False
        sites = await asyncio.to_thread(self._ledger.settle_alias, entry, target, links, entry.depth + 1)
        if sites is None:
            return False
        self._parts.lanes.wake(sites)
        if entry.seen:
            await self._parts.reports.vanished(entry, State.ALIAS)
        return True

    async def _emit(self, entry: Entry, answer: Fetched, page: Page, known: Delivered | None) -> None:
        delivered = Delivered(page.digest, answer.headers.get("ETag"), answer.headers.get("Last-Modified"), page.links)
        diff = "new" if known is None else "content_unchanged" if known.digest == page.digest else "content_changed"
        if diff not in self._options.emit_content_diff:
            await self._same(entry, delivered)
            return
        self._parts.reports.emit(entry, page, delivered, diff)

    async def _same(self, entry: Entry, page: Delivered) -> None:
        links = self._admitted(page.links, entry)
        self._parts.lanes.wake(await asyncio.to_thread(self._ledger.unchanged, entry, page, links, entry.depth + 1))

    # --- failures ---------------------------------------------------------------------------------------------------

    async def _not_fetched(self, lane: Lane, entry: Entry, error: FetchFailed) -> None:
        if error.retryable is False:
            logger.warning("%s is left out: %s", entry.url, error)
            await self._close(entry, State.FAILED)
            return
        if error.unreachable:
            lane.unreachable(self._parts.backoff_seconds)
        await self._again(lane, entry, str(error), None)

    async def _again(self, lane: Lane, entry: Entry, reason: str, answer: Fetched | None) -> None:
        asked = _pause(answer.retry_after_seconds) if answer is not None else 0.0
        if asked:
            lane.turned_away(asked)
        attempts = entry.attempts + 1
        if attempts >= self._options.attempts:
            await self._give_up(entry, f"{attempts} attempts, the last: {reason}")
            return
        await asyncio.to_thread(self._ledger.failed, entry)
        backoff = min(MAX_BACKOFF_SECONDS, self._parts.backoff_seconds * 2.0 ** (attempts - 1))
        lane.retry(replace(entry, attempts=attempts), time.monotonic() + max(asked, backoff))

    async def _give_up(self, entry: Entry, reason: str) -> None:
        logger.warning("%s is given up for this crawl: %s", entry.url, reason)
        await self._close(entry, State.FAILED)

    # --- the ledger -------------------------------------------------------------------------------------------------

    async def _enter(self, urls: Iterable[str], depth: int, kind: Kind) -> None:
        bounded = kind is Kind.PAGE
        self._parts.lanes.wake(await asyncio.to_thread(self._ledger.add, urls, depth, kind, bounded))

    async def _close(self, entry: Entry, state: State, links: Sequence[str] = ()) -> None:
        """The address is dealt with; a page delivered earlier is reported as vanished before that is written down."""
        if entry.seen and state in _VANISHED and entry.kind is not Kind.SITEMAP:
            await self._enter(links, entry.depth + 1, Kind.PAGE)
            await self._parts.reports.vanished(entry, state)
            return
        self._parts.lanes.wake(await asyncio.to_thread(self._ledger.settle, entry, state, links, entry.depth + 1))

    def _admitted(self, links: Sequence[str], entry: Entry) -> list[str]:
        if 0 < self._options.max_depth <= entry.depth:
            return []
        return [link for link in links if self._admits(link)]

    def _admits(self, url: str) -> bool:
        """Whether the address is worth being entered; rules that are not known yet are looked at later."""
        if not self._parts.scope.admits(url):
            return False
        address = parse(url)
        assert address is not None
        robots = self._parts.etiquette.rules(address.origin) if self._options.handle_robots_file else None
        return robots is None or robots.allows(address.target)

    def _wants(self, status: int, content_type: str) -> bool:
        return 200 <= status < 300 and (self._options.allow_non_html_contents or is_text(content_type))


def _conditions(known: Delivered | None) -> Mapping[str, str]:
    if known is None:
        return {}
    conditions = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    return {name: value for name, value in conditions.items() if value}


def _leads_to(url: str, answer: Fetched) -> str | None:
    if not 300 <= answer.status < 400 or answer.status == 304:
        return None
    location = answer.headers.get("Location", "")
    return resolve(url, location) if location else None


def _pause(seconds: float | None) -> float:
    return min(seconds or 0.0, MAX_PAUSE_SECONDS)
