"""`webcrawler-source`: the pages of web sites as records.

A page is written down as delivered when its record, and all it led to, is safe. A restart, be it after `kill -9`, goes
on where the ledger ends: nothing that was committed comes again, nothing that was not is lost. Where the broker has
transactions, pages are written down beforehand, and the broker knows which of them it has: then nothing that is in the
output comes again either.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from langstream.agents.web.crawler.addresses import parse
from langstream.agents.web.crawler.crawl import Crawl
from langstream.agents.web.crawler.journal import Commit, parse_commit, write_commit
from langstream.agents.web.crawler.lanes import Lanes
from langstream.agents.web.crawler.ledger import Delivered, Ledger, Settled
from langstream.agents.web.crawler.options import DEFAULT_BUCKET, DEFAULT_KEY, WebCrawlerConfiguration
from langstream.agents.web.crawler.outbox import Outbox
from langstream.agents.web.crawler.pages import Reading
from langstream.agents.web.crawler.robots import product_token
from langstream.errors import AgentFailed
from langstream.records import Record
from langstream.sdk.contract import AgentContext, PreparedSource

if TYPE_CHECKING:
    import aiohttp

    from langstream.agents.web.crawler.bucket_state import BucketState

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
"""How long one read waits for a page."""


class WebCrawlerSource(PreparedSource):
    """Delivers pages, each version once, or at least once where the broker has no transactions."""

    def __init__(self, options: WebCrawlerConfiguration, backoff_seconds: float = 1.0) -> None:
        self._options = options
        self._backoff_seconds = backoff_seconds
        self._outbox = Outbox()
        self._ledger: Ledger | None = None
        self._lanes: Lanes | None = None
        self._session: aiohttp.ClientSession | None = None
        self._crawl: Crawl | None = None
        self._bucket: BucketState | None = None
        self._temporary: TemporaryDirectory[str] | None = None
        self._undecided: Commit | None = None
        """Prepared by an earlier process; nobody knows yet whether it was written."""
        self._prepared = False
        self._identity: str | None = None
        self._committed = 0

    async def start(self, context: AgentContext) -> None:
        """Open the ledger. Of several replicas the first one crawls, the others stand by."""
        if context.replica > 0:
            logger.info("agent '%s': replica %d stands by, the first one crawls", context.agent_id, context.replica)
            return
        self._ledger = await self._open_ledger(context)
        self._identity = await asyncio.to_thread(self._ledger.identity)
        self._lanes = Lanes(self._ledger)
        self._crawl = await self._make_crawl(self._ledger, self._lanes, context)

    def identity(self) -> str | None:
        """That of the ledger. None for a replica that stands by."""
        return self._identity

    async def resume(self, written: str | None) -> None:
        """Decide about what was prepared, then crawl."""
        if self._ledger is None or self._crawl is None:
            return
        commit, self._undecided = self._undecided, None
        if commit is not None and commit.batch == written:
            await asyncio.to_thread(self._ledger.replay, commit.settled, follower(self._options))
        if commit is not None:
            await asyncio.to_thread(self._ledger.withdraw)
            await self._checkpoint()
        self._crawl.start()

    async def _open_ledger(self, context: AgentContext) -> Ledger:
        directory = context.state_directory
        place = None if directory is None else directory / state_file(context)
        if not self._options.keeps_state_in_bucket:
            if place is None:
                logger.warning("agent '%s' has no state directory: a restart crawls everything again", context.agent_id)
            ledger = await asyncio.to_thread(Ledger, place, self._options.max_urls)
            self._undecided = await asyncio.to_thread(undecided, ledger)
            return ledger
        self._bucket = open_bucket(self._options, f"{context.tenant}/{state_file(context).stem}")
        await self._bucket.start()
        if place is None:
            self._temporary = TemporaryDirectory(prefix="langstream-crawler-")
            place = Path(self._temporary.name) / state_file(context)
        ledger, self._undecided = await restored(self._bucket, place, self._options)
        return ledger

    @property
    def crawls_ended(self) -> int:
        """How many crawls came to their end since the start."""
        return self._crawl.ended if self._crawl is not None else 0

    async def read(self, max_records: int) -> Sequence[Record]:
        """The next pages; waits a while for them."""
        return await self._outbox.take(max_records, PATIENCE_SECONDS)

    async def prepare(self, batch: str, records: Sequence[Record]) -> None:
        """Write down what is to be committed."""
        if self._ledger is None:
            raise AgentFailed("webcrawler-source prepares before it was started")
        if self._prepared:
            await self._checkpoint()  # what was prepared before does not hold
        self._prepared = True
        commit = Commit(self._settled(records), batch)
        if self._bucket is not None:
            await self._bucket.keep(commit)
        else:
            await asyncio.to_thread(self._ledger.prepare, write_commit(commit))

    async def commit(self, records: Sequence[Record]) -> None:
        """Write the pages down as delivered. They are on disk when this returns."""
        if self._ledger is None or self._lanes is None:
            raise AgentFailed("webcrawler-source commits before it was started")
        settled = self._settled(records)
        if not settled:
            return
        prepared, self._prepared = self._prepared, False
        self._lanes.wake(await asyncio.to_thread(self._ledger.commit, settled, prepared))
        if self._bucket is not None:
            if not prepared:
                await self._bucket.keep(Commit(settled))
            await self._bucket.committed(self._ledger)
        self._outbox.done(records)
        self._committed += len(settled)

    def _settled(self, records: Sequence[Record]) -> list[Settled]:
        return [(delivery.entry, delivery.state, delivery.page) for delivery in self._outbox.settled(records)]

    async def _checkpoint(self) -> None:
        if self._bucket is not None and self._ledger is not None:
            await self._bucket.checkpoint(self._ledger)

    async def close(self) -> None:
        """Stop crawling and close the ledger."""
        if self._crawl is not None:
            await self._crawl.close()
        if self._session is not None:
            await self._session.close()
        if self._ledger is not None:
            await asyncio.to_thread(self._ledger.close)
        if self._bucket is not None:
            await self._bucket.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def info(self) -> dict[str, Any]:
        """What is crawled, and numbers."""
        return {
            "seed-urls": list(self._options.seed_urls),
            "allowed-domains": list(self._options.allowed_domains),
            "visits": self._crawl.visits if self._crawl is not None else 0,
            "under-way": self._outbox.under_way,
            "committed": self._committed,
            "crawls-ended": self.crawls_ended,
        }

    async def _make_crawl(self, ledger: Ledger, lanes: Lanes, context: AgentContext) -> Crawl:
        # Here and not above: what needs the HTTP client is imported when a crawler really runs.
        from langstream.agents.web.crawler.etiquette import Etiquette
        from langstream.agents.web.crawler.fetching import Fetcher, open_session
        from langstream.agents.web.crawler.network import Guard
        from langstream.agents.web.crawler.reports import Reports
        from langstream.agents.web.crawler.visiting import Parts, Visitor

        if find_spec("selectolax") is None:
            raise AgentFailed("webcrawler-source needs selectolax to read pages: pip install 'langstream[text]'")
        options, scope = self._options, self._options.scope()
        seeds = {address.host for seed in options.seed_urls if (address := parse(seed)) is not None}
        guard = Guard(seeds | scope.named_hosts(), options.allow_private_addresses)
        self._session = await open_session(
            options.agent_name, options.http_timeout / 1000, options.handle_cookies, guard, 2 * options.concurrent_sites
        )
        fetcher = Fetcher(self._session, guard, options.max_bytes)
        token = product_token(options.agent_name)
        etiquette = Etiquette(ledger, fetcher, scope, token, options.attempts)
        reading = Reading(
            options.scan_html_documents, options.handle_robots_tags, options.follow_canonical_links, token
        )
        reports = Reports(options, ledger, self._outbox, context.topics)
        parts = Parts(options, ledger, fetcher, etiquette, lanes, reports, reading, scope, self._backoff_seconds)
        return Crawl(options, ledger, lanes, etiquette, Visitor(parts), self._outbox, self._checkpoint)


def state_file(context: AgentContext) -> Path:
    """The name of the state: that of the application and the agent."""
    return Path(f"{context.application_id}-{context.agent_id}.webcrawler.status.sqlite")


def open_bucket(options: WebCrawlerConfiguration, name: str) -> BucketState:
    """The state in the bucket of the options."""
    from langstream.agents.web.crawler.bucket_state import BucketState, StateBucket

    if not options.address:
        raise AgentFailed("endpoint is not set: expected the address of the object store, or region for the one of AWS")
    bucket = StateBucket(
        options.address,
        options.bucket_name or DEFAULT_BUCKET,
        DEFAULT_KEY if options.access_key is None else options.access_key,
        DEFAULT_KEY if options.secret_key is None else options.secret_key,
        (options.region or "").strip(),
    )
    return BucketState(bucket, name, options.max_unflushed_pages)


async def restored(bucket: BucketState, place: Path, options: WebCrawlerConfiguration) -> tuple[Ledger, Commit | None]:
    """The ledger as the bucket has it, and the commit that nobody knows of whether it holds.

    A bucket without a state takes over what stands on the disk.
    """
    from langstream.agents.web.crawler.bucket_state import restore

    stored = await bucket.load()
    if stored.snapshot is not None:
        await asyncio.to_thread(restore, place, stored.snapshot)
    ledger = await asyncio.to_thread(Ledger, place, options.max_urls)
    last = stored.commits.pop() if stored.commits and stored.commits[-1].batch is not None else None
    for commit in stored.commits:
        await asyncio.to_thread(ledger.replay, commit.settled, follower(options))
    return ledger, last or await asyncio.to_thread(undecided, ledger)


def undecided(ledger: Ledger) -> Commit | None:
    """What was prepared on this disk and not committed."""
    prepared = ledger.prepared()
    return None if prepared is None else parse_commit(prepared)


def follower(options: WebCrawlerConfiguration) -> Callable[[Delivered, int], list[str]]:
    """What gives the links of a page, found at a depth, that may be visited."""
    scope = options.scope()

    def follow(page: Delivered, depth: int) -> list[str]:
        too_deep = 0 < options.max_depth <= depth
        return [] if too_deep else [link for link in page.links if scope.admits(link)]

    return follow
