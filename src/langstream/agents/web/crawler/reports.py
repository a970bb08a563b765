"""The records of the crawler: pages, and pages that have vanished."""

from __future__ import annotations

import asyncio
import logging
import time

from langstream.agents.web.crawler.ledger import Delivered, Entry, Ledger, State
from langstream.agents.web.crawler.options import WebCrawlerConfiguration
from langstream.agents.web.crawler.outbox import Delivery, Outbox
from langstream.agents.web.crawler.pages import Page
from langstream.errors import AgentFailed
from langstream.records import SimpleRecord
from langstream.sdk.contract import TopicWriter

logger = logging.getLogger(__name__)

DELETED = "sourceObjectDeleted"


class Reports:
    """Makes records and puts them where they belong."""

    def __init__(
        self, options: WebCrawlerConfiguration, ledger: Ledger, outbox: Outbox, topics: TopicWriter | None
    ) -> None:
        self._options = options
        self._ledger = ledger
        self._outbox = outbox
        self._topics = topics

    def emit(self, entry: Entry, page: Page, delivered: Delivered, diff: str) -> None:
        """A new or changed page."""
        headers = [("url", entry.url), ("content_type", page.content_type or None), ("content_diff", diff)]
        record = SimpleRecord(page.value, entry.url, headers, None, _now())
        self._outbox.put(Delivery(record, entry, State.DONE, delivered, len(page.value)))

    async def vanished(self, entry: Entry, state: State) -> None:
        """A page that was delivered is not to be had any more. It is forgotten when the report is safe."""
        logger.info("%s has vanished (%s)", entry.url, state.name.lower())
        headers = [("url", entry.url), ("recordType", DELETED), ("recordSource", "webcrawler")]
        if self._options.deleted_documents_topic is None and self._options.emit_deletions:
            self._outbox.put(Delivery(SimpleRecord(None, entry.url, headers, None, _now()), entry, state, None))
            return
        if self._options.deleted_documents_topic is not None:
            if self._topics is None:
                raise AgentFailed("deleted-documents-topic is set, but the agent runs without topics")
            record = SimpleRecord(entry.url, entry.url, headers, None, _now())
            await self._topics.send(self._options.deleted_documents_topic, [record])
        await asyncio.to_thread(self._ledger.commit, [(entry, state, None)])


def _now() -> int:
    return time.time_ns() // 1_000_000
