"""The crawl as a whole: workers that visit, and a director who sees when a crawl is over and when the next is due."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from langstream.agents.web.crawler.etiquette import Etiquette
from langstream.agents.web.crawler.lanes import Lanes
from langstream.agents.web.crawler.ledger import Ledger
from langstream.agents.web.crawler.options import WebCrawlerConfiguration
from langstream.agents.web.crawler.outbox import Outbox
from langstream.agents.web.crawler.visiting import Visitor
from langstream.errors import AgentFailed

logger = logging.getLogger(__name__)


class Crawl:
    """Crawls again and again. Started once, closed once."""

    def __init__(
        self,
        options: WebCrawlerConfiguration,
        ledger: Ledger,
        lanes: Lanes,
        etiquette: Etiquette,
        visitor: Visitor,
        outbox: Outbox,
        checkpoint: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._options = options
        self._ledger = ledger
        self._lanes = lanes
        self._etiquette = etiquette
        self._visitor = visitor
        self._outbox = outbox
        self._tasks: list[asyncio.Task[None]] = []
        self._checkpoint = checkpoint
        self.visits = 0
        self.ended = 0

    def start(self) -> None:
        """Set to work."""
        self._tasks = [asyncio.create_task(self._watched(self._direct()))]
        self._tasks += [asyncio.create_task(self._watched(self._work())) for _ in range(self._options.concurrent_sites)]

    async def close(self) -> None:
        """Stop; what is under way comes again."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            logger.exception("the crawler broke")
            failure = AgentFailed(f"the crawler broke: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._outbox.fail(failure)

    async def _work(self) -> None:
        while True:
            await self._outbox.room()
            lane, entry = await self._lanes.take()
            try:
                await self._visitor.visit(lane, entry)
                self.visits += 1
            finally:
                self._lanes.release(lane)

    async def _direct(self) -> None:
        while True:
            times = await asyncio.to_thread(self._ledger.times)
            if times is None:
                await self._begin()
            elif times.ended is None:
                await self._resume()
            else:
                await self._rest(times.ended)
                await self._begin()
            await self._finish()

    async def _begin(self) -> None:
        await asyncio.to_thread(self._ledger.begin_crawl, time.time())
        await self._keep()
        self._lanes.restart()
        self._etiquette.restart()
        await self._resume()

    async def _resume(self) -> None:
        """Go on with the crawl of the ledger. Seeds that were added meanwhile join it."""
        await self._enter_seeds()
        self._lanes.wake(await asyncio.to_thread(self._ledger.pending_sites))

    async def _enter_seeds(self) -> None:
        seeds: Sequence[str] = self._options.seed_urls
        self._lanes.wake(await asyncio.to_thread(self._ledger.add, seeds, 0))

    async def _rest(self, ended: float) -> None:
        """Wait for the next crawl; new seeds and what is left over do not wait."""
        await self._resume()
        interval = self._options.reindex_interval_seconds
        if interval <= 0:
            await asyncio.Event().wait()
        await asyncio.sleep(max(0.0, ended + interval - time.time()))
        await self._settled()

    async def _keep(self) -> None:
        if self._checkpoint is not None:
            await self._checkpoint()

    async def _settled(self) -> None:
        await self._lanes.drained()
        await self._outbox.empty()
        await self._lanes.drained()  # a commit may have brought pages back

    async def _finish(self) -> None:
        await self._settled()
        if self._options.reports_deletions:
            self._lanes.wake(await asyncio.to_thread(self._ledger.enter_unreached))
            await self._settled()
        await asyncio.to_thread(self._ledger.end_crawl, time.time())
        await self._keep()
        self.ended += 1
        self._outbox.nudge()
        logger.info("the crawl is over: %s", await asyncio.to_thread(self._ledger.numbers))
