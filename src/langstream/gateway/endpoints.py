"""From exceptions to answers: every failure of a handler becomes a problem document, or the closing of a socket.

Handlers raise; nothing here knows what they do. A failure that nobody foresaw is logged with the path of the request,
never with its query, and its text does not reach the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from langstream.errors import GatewayError
from langstream.gateway.problems import problem_response, refusal

log = logging.getLogger(__name__)

REASON_BYTES: Final = 123
"""What fits into the close frame of a WebSocket."""

Result = TypeVar("Result")
HttpHandler: TypeAlias = Callable[[Request, Send], Awaitable["Response | None"]]
SocketHandler: TypeAlias = Callable[[WebSocket], Awaitable[None]]


class StuckClient(WebSocketDisconnect):
    """The client is connected but takes nothing any more. Its connection is dropped: no word would reach it."""

    def __init__(self) -> None:
        super().__init__(1006, "the client reads nothing")


class HttpEndpoint:
    """An ASGI application around a handler, which returns a response or has sent one itself."""

    def __init__(self, handler: HttpHandler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            response = await self._handler(Request(scope, receive), sending)
        except (StuckClient, ClientDisconnect):  # there is nobody to answer
            return
        except Exception as error:
            refused = refused_at(scope, error)
            if started:  # too late for another status: the body stays incomplete, and the connection is closed
                return
            response = problem_response(refused.status, refused.reason, scope["path"])
        if response is not None:
            await response(scope, receive, send)


class SocketEndpoint:
    """An ASGI application around a handler, which accepts the socket when everything is ready."""

    def __init__(self, handler: SocketHandler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        websocket = WebSocket(scope, receive, send)
        accepted = False
        try:
            await websocket.receive()  # the handshake
            try:
                await self._handler(websocket)
            except WebSocketDisconnect:
                return
            except Exception as error:
                accepted = websocket.application_state.name == "CONNECTED"
                refused = refused_at(scope, error)
                if accepted:
                    await websocket.close(1008 if refused.status < 500 else 1011, close_reason(refused.reason))
                else:
                    response = problem_response(refused.status, refused.reason, scope["path"])
                    await websocket.send_denial_response(response)
        except (WebSocketDisconnect, RuntimeError) as error:
            if isinstance(error, RuntimeError) and websocket.application_state.name == "CONNECTED":
                raise


def refused_at(scope: Scope, error: Exception) -> GatewayError:
    """The refusal that the error amounts to, with the place it belongs to."""
    refused = refusal(error)
    if refused is None:
        log.error("the request %s failed", scope["path"], exc_info=error)
        refused = GatewayError(500, "the gateway failed; its log has the reason")
    path = scope.get("path_params", {})
    if "gateway" not in path:
        return refused
    place = f"gateway {path['gateway']} (tenant: {path['tenant']}, appId: {path['application']})"
    return GatewayError(refused.status, f"Error for {place}: {refused.reason}")


def close_reason(text: str) -> str:
    """As much of the text as a close frame can hold."""
    return text.encode()[:REASON_BYTES].decode("utf-8", "ignore")


async def patiently(sending: Awaitable[None], seconds: float) -> None:
    """Send to a client that may be slow. Raises StuckClient when it takes nothing for so long."""
    try:
        async with asyncio.timeout(seconds):
            await sending
    except TimeoutError:
        raise StuckClient from None


async def first_of(*work: Coroutine[Any, Any, Result]) -> Result:
    """Run all; when the first ends the others are cancelled. Its result, or its exception."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                task.result()


async def disconnected(receive: Receive) -> None:
    """Returns when the client of a request is gone. The body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
