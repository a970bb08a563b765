"""A web site on this machine that answers as the tests say, and agents started as the runtime starts them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson
import pytest
from aiohttp import web

from langstream.agents.declaration import AGENT_TYPES
from langstream.configuration.validation import check
from langstream.errors import LangStreamError
from langstream.records import Record, SimpleRecord
from langstream.sdk.contract import AgentContext

Page: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

FACT = SimpleRecord('{"q":"a b&c","n":1}', "k1", [("p", "1")], "in", 5)
"""The record that most tests send."""

TEXT = SimpleRecord("text", "k", [("p", "1")])


def page(body: Any, status: int = 200, content_type: str = "application/json", **headers: str) -> Page:
    """A page with this body: bytes and text as they are, all else as JSON."""

    async def answer(_: web.Request) -> web.StreamResponse:
        content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=content, status=status, headers={"Content-Type": content_type, **named})

    return answer


async def echo(request: web.Request) -> web.StreamResponse:
    """Method, address, headers and body of the request."""
    seen = {
        "m": request.method,
        "path": request.raw_path,
        "body": await request.text(),
        "h": {name.lower(): value for name, value in request.headers.items()},
    }
    return web.Response(body=orjson.dumps(seen), content_type="application/json")


class Site:
    """Pages by path; `requests` remembers what was asked: method, path with query, headers in small letters, body."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {"/echo": echo}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        self._closing.set()
        assert self._runner is not None
        await self._runner.cleanup()

    def streams(self, path: str, *lines: str, stay: bool = False, cut: bool = False, **kind: str) -> None:
        """A page of server-sent events, line by line; `stay` keeps it open, `cut` breaks the connection off."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": kind.get("content_type", "text/event-stream")})
            response.enable_chunked_encoding()
            await response.prepare(request)
            for line in lines:
                await response.write(f"{line}\r\n".encode())
            if cut:
                assert request.transport is not None
                request.transport.abort()
            elif stay:
                await self._wait()
            return response

        self.pages[path] = answer

    def silent(self, path: str) -> None:
        """A page that never comes."""

        async def answer(_: web.Request) -> web.StreamResponse:
            await self._wait()
            return web.Response()

        self.pages[path] = answer

    async def _wait(self) -> None:
        try:
            await self._closing.wait()
        finally:
            self.left.set()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.raw_path, headers, await request.read()))
        self.asked.set()
        answer = self.pages.get(request.path)
        return await answer(request) if answer is not None else web.Response(status=404, text="no such page")


class Topics:
    """Keeps what is sent; `fail` makes the next writes fail."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Record]] = {}
        self.fail: list[LangStreamError] = []

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        if self.fail:
            raise self.fail.pop(0)
        self.sent.setdefault(topic, []).extend(records)


class Bench:
    """Starts agents, and closes them in the end."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.topics = Topics()
        self._agents: list[Any] = []

    async def start(self, agent: str, configuration: Mapping[str, Any]) -> Any:
        """The started agent. `{site}` in the options stands for the site's address."""
        declared = AGENT_TYPES.load(agent)
        options = {
            name: value.replace("{site}", self.site.url) if isinstance(value, str) else value
            for name, value in configuration.items()
        }
        model, problems = check(declared.configuration, options, subject=agent)
        assert not problems, problems
        started = declared.create(model)
        self._agents.append(started)
        await started.start(AgentContext("agent-1", "app", topics=self.topics))
        return started

    async def outcome(self, agent: str, configuration: Mapping[str, Any], record: SimpleRecord = FACT) -> Any:
        """What becomes of one record: its results, or its error."""
        started = await self.start(agent, configuration)
        (outcome,) = await started.process_batch([record])
        return outcome

    async def close(self) -> None:
        for agent in self._agents:
            await agent.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A site with one page, `/echo`."""
    site = Site()
    await site.start()
    yield site
    await site.close()


@pytest.fixture
async def bench(site: Site) -> AsyncIterator[Bench]:
    """Agents in front of the site."""
    bench = Bench(site)
    yield bench
    await bench.close()
