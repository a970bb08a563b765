"""Limits on what clients may take: connections, bodies, messages per second."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from langstream.errors import GatewayError
from langstream.gateway.problems import problem_response

_ALWAYS_OPEN = ("/management/", "/metrics")


class ConnectionLimit:
    """ASGI middleware: so many sockets and requests at a time, 503 beyond. Health and metrics are never refused."""

    def __init__(self, app: ASGIApp, maximum: int) -> None:
        self._app = app
        self._maximum = maximum
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse."""
        if scope["type"] == "lifespan" or scope["path"].startswith(_ALWAYS_OPEN):
            await self._app(scope, receive, send)
            return
        if self._open >= self._maximum:
            await refuse(scope, receive, send, 503, "the gateway has too many connections now; try again later")
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1


class OriginCheck:
    """ASGI middleware: WebSocket handshakes from pages of other origins are refused (CORS does not cover them)."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse."""
        if scope["type"] == "websocket" and "*" not in self._origins:
            origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
            if origin and origin not in self._origins:
                await refuse(scope, receive, send, 403, "pages of this origin may not use the gateway")
                return
        await self._app(scope, receive, send)


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    """Answer a request or a handshake with a problem document."""
    response = problem_response(status, detail, scope["path"])
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


async def body_within(request: Request, maximum: int) -> bytes:
    """The whole body. Raises GatewayError 413 as soon as it proves too large."""
    too_large = GatewayError(413, f"the body is larger than {maximum} bytes")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > maximum:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > maximum:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


class Pace:
    """Slows a client down to so many messages per second; a second's worth may come at once."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._allowance = per_second
        self._seen = asyncio.get_running_loop().time()

    async def wait(self) -> None:
        """Account for one message; returns when it may be handled."""
        if self._per_second <= 0:
            return
        now = asyncio.get_running_loop().time()
        self._allowance = min(self._per_second, self._allowance + (now - self._seen) * self._per_second)
        self._seen = now
        self._allowance -= 1
        if self._allowance < 0:
            await asyncio.sleep(-self._allowance / self._per_second)
