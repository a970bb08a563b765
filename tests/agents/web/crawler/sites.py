"""Web sites on the loopback for the tests of the crawler, and a crawler to send there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from langstream.agents.web.crawler.ledger import Ledger, State
from langstream.agents.web.crawler.options import WebCrawlerConfiguration
from langstream.agents.web.crawler.source import WebCrawlerSource, state_file
from langstream.configuration.validation import check
from langstream.records import Record
from langstream.sdk.contract import AgentContext


@dataclass
class Answer:
    """What a site answers. `drop` closes the connection instead."""

    body: str | bytes = ""
    status: int = 200
    type: str | None = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


Answers = str | Answer | Callable[[web.Request], Answer] | list["str | Answer"]


def redirect(location: str, status: int = 307) -> Answer:
    """A redirect."""
    return Answer(status=status, headers={"Location": location})


def linking(*targets: str) -> str:
    """A page with links."""
    return "<html><body>" + " ".join(f"<a href='{target}'>{target}</a>" for target in targets) + "</body></html>"


class Site:
    """A site of given pages: path (with query) → answer, or a list of which the last stays."""

    def __init__(self, pages: dict[str, Answers] | None = None) -> None:
        self.pages: dict[str, Answers] = dict(pages or {})
        self.requests: list[web.Request] = []
        self.moments: list[tuple[float, float]] = []
        self.seconds = 0.0
        self.under_way = 0
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        """What was asked for, in order, without robots.txt."""
        return [request.path_qs for request in self.requests if request.path != "/robots.txt"]

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(request.path_qs == path for request in self.requests)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        began = asyncio.get_running_loop().time()
        self.requests.append(request)
        await asyncio.sleep(self.seconds)
        answer = self.pages.get(request.path_qs, Answer("<html><body>no such page</body></html>", 404))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, str):
            answer = Answer(answer)
        self.moments.append((began, asyncio.get_running_loop().time()))
        if answer.drop:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        response = web.Response(body=body, status=answer.status, headers=answer.headers)
        if answer.type is None:
            response.headers.pop("Content-Type", None)
        else:
            response.headers["Content-Type"] = answer.type
        return response


class Crawler:
    """Crawlers with one state directory. Options in snake case."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sent: list[tuple[str, Record]] = []
        self._opened: list[WebCrawlerSource] = []

    def options(self, *sites: Site, **options: Any) -> WebCrawlerConfiguration:
        """Validated options for crawling these sites quickly."""
        names = {"bucket_name": "bucketName"}
        settings: dict[str, Any] = {
            "seed-urls": [f"{site.url}/" for site in sites],
            "allowed-domains": [f"{site.url}/" for site in sites],
            "min-time-between-requests": 0,
        }
        settings.update({names.get(name, name.replace("_", "-")): value for name, value in options.items()})
        model, problems = check(WebCrawlerConfiguration, settings, subject="webcrawler-source")
        assert model is not None, problems
        return model

    def context(self, state: bool = True) -> AgentContext:
        """What the crawlers are started with."""
        return AgentContext("pages", "app", topics=self, state_directory=self.directory if state else None)

    async def source(self, *sites: Site, written: str | None = None, **options: Any) -> WebCrawlerSource:
        """A crawler that crawls. `written` is the last batch that is in the output."""
        source = WebCrawlerSource(self.options(*sites, **options), backoff_seconds=0.01)
        self._opened.append(source)
        await source.start(self.context())
        await source.resume(written)
        return source

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """The side topic."""
        self.sent += [(topic, record) for record in records]

    async def close(self) -> None:
        """Stop all crawlers."""
        for source in self._opened:
            await source.close()
        self._opened.clear()

    async def crawl(self, *sites: Site, **options: Any) -> list[Record]:
        """Crawl until the end of a crawl, committing everything."""
        source = await self.source(*sites, **options)
        records = await read_crawl(source)
        await self.close()
        return records

    def ledger(self) -> Ledger:
        """The state of the stopped crawlers."""
        return Ledger(self.directory / state_file(self.context()))

    def states(self, site: Site) -> dict[str, State]:
        """Path → state, of the stopped crawlers."""
        ledger = self.ledger()
        known = ledger.known()
        ledger.close()
        return {url.removeprefix(site.url): state for url, (state, _) in known.items()}


async def read_crawl(source: WebCrawlerSource, crawls: int = 1) -> list[Record]:
    """The committed records up to the end of the crawl of that number."""
    records: list[Record] = []
    while not source.crawls_ended >= crawls:
        read = await source.read(100)
        await source.commit(read)
        records += read
    return records


async def read_some(source: WebCrawlerSource, count: int) -> list[Record]:
    """So many records, not committed."""
    records: list[Record] = []
    while len(records) < count:
        records += await source.read(count - len(records))
    return records


def keys(records: Sequence[Record], site: Site) -> list[str]:
    """The keys of records, without the address of the site."""
    return [str(record.key()).removeprefix(site.url) for record in records]


async def rests(source: WebCrawlerSource) -> bool:
    """Whether nothing comes for a while."""
    try:
        return not await asyncio.wait_for(source.read(1), 0.3)
    except TimeoutError:
        return True
