"""A server of AI on loopback that answers as well or as badly as a test wants, by default in the protocol of OpenAI.

The fakes of the other protocols, one per module, build on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web


@dataclass
class Reply:
    """One answer: `body` at once, or `pieces` one after the other; `cut` breaks the connection off after them,
    `hang` keeps it open, `silent` never answers at all."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    pieces: Sequence[bytes] = ()
    pause_seconds: float = 0.0
    cut: bool = False
    hang: bool = False
    silent: bool = False
    content_type: str = ""


class FakeServer:
    """Gives the `replies` one after the other, the last one again and again, and remembers the `requests`."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.requests: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.url = ""
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        self._released.set()
        assert self._runner is not None
        await self._runner.cleanup()

    def streams(self, *events: Any, **options: Any) -> None:
        """Answer with these events (`[DONE]` and bytes as they are, the rest as JSON)."""
        self.replies.append(
            Reply(pieces=[self.event(event) for event in events], content_type="text/event-stream", **options)
        )

    def answers(self, body: Any, status: int = 200, **options: Any) -> None:
        """Answer with this body."""
        self.replies.append(Reply(status=status, body=body, **options))

    def chat(self, *texts: str, finish: Any = "stop", **options: Any) -> None:
        """Answer with a streamed chat completion, well formed."""
        events = [{"id": "answer-1", "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
        end = {"id": "answer-1", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
        self.streams(
            {"id": "answer-1", "choices": [{"delta": {"role": "assistant"}}]}, *events, end, "[DONE]", **options
        )

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        """The answer to a request: the next of the replies. Servers that think for themselves replace this."""
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    @staticmethod
    def event(event: Any) -> bytes:
        if isinstance(event, bytes):
            return event
        data = event if isinstance(event, str) else orjson.dumps(event).decode()
        return f"data: {data}\n\n".encode()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.read()
        self.requests.append(
            {
                "method": request.method,
                "path": request.path,
                "raw_path": request.raw_path,
                "query": dict(request.query),
                "headers": {name.lower(): value for name, value in request.headers.items()},
                "raw_body": text,
                "body": orjson.loads(text) if text and request.content_type == "application/json" else None,
            }
        )
        self.asked.set()
        try:
            return await self._send(request, self.reply_to(self.requests[-1]))
        except (asyncio.CancelledError, ConnectionError):
            self.hung_up.set()
            raise

    async def _send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        if reply.silent:
            await self._released.wait()
        if not reply.pieces and not reply.cut and not reply.hang:
            body = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
            content_type = reply.content_type or "application/json"
            return web.Response(status=reply.status, headers=reply.headers, body=body, content_type=content_type)
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        response.content_type = reply.content_type or "text/event-stream"
        await response.prepare(request)
        for piece in reply.pieces:
            await response.write(piece)
            await asyncio.sleep(reply.pause_seconds)
        if reply.cut:
            assert request.transport is not None
            request.transport.abort()
        if reply.hang:
            await self._released.wait()
        return response
