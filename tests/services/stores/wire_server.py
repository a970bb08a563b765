"""Servers of documented protocols on loopback ports, written for the tests."""

from __future__ import annotations

from typing import Any, Self

import orjson
from aiohttp import web

Answer = tuple[int, Any]
"""A status, and what the body is as JSON."""


class WireServer:
    """Base of those servers, an asynchronous context; `answer` is given every request with its parsed body."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[tuple[str, str, Any]] = []
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen."""
        application = web.Application(client_max_size=64 * 2**20)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop."""
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        data = await request.read()
        body = orjson.loads(data) if data else None
        self.asked.append((request.method, request.path, body))
        status, answer = await self.answer(request, body)
        content = b"" if answer is None else orjson.dumps(answer)
        return web.Response(status=status, body=content, content_type="application/json")

    async def answer(self, request: web.Request, body: Any) -> Answer:
        """What the protocol answers."""
        raise NotImplementedError
