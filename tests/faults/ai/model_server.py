"""A model on loopback that counts: which questions were asked, and which were answered to the end.

It answers `ask N` with `answer N`, in the protocol of OpenAI, streamed. Some answers are held before their end, as are
all of them while it is frozen: whoever is killed then is killed in the middle of completions.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import orjson
from aiohttp import web


class ModelServer:
    """`asked` counts requests by number, `answered` has those whose last byte was written, `under_way` the others."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()
        self.answered: set[int] = set()
        self.under_way: Counter[int] = Counter()
        self.again: list[int] = []
        """Numbers that were asked for although their answers were `settled`."""
        self.settled: set[int] = set()
        """Answers that are known to have arrived."""
        self.holds = False
        """One in three answers is held."""
        self.frozen = False
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def close(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        number = int(body["messages"][-1]["content"].removeprefix("ask "))
        self.asked[number] += 1
        if number in self.settled:
            self.again.append(number)
        self.under_way[number] += 1
        try:
            return await self._stream(request, number)
        finally:
            self.under_way -= Counter((number,))

    async def _stream(self, request: web.Request, number: int) -> web.StreamResponse:
        held = self.holds and random.random() < 1 / 3
        response = web.StreamResponse()
        response.content_type = "text/event-stream"
        await response.prepare(request)
        for text in ("answer", " ", str(number)):
            await self._write(response, {"delta": {"content": text}, "finish_reason": None})
            await asyncio.sleep(random.uniform(0, 0.02))
        if held or self.frozen:
            await asyncio.Event().wait()  # until the client is dead
        await self._write(response, {"delta": {}, "finish_reason": "stop"})
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        self.answered.add(number)
        return response

    async def _write(self, response: web.StreamResponse, choice: dict[str, object]) -> None:
        await response.write(b"data: " + orjson.dumps({"id": "a", "choices": [{"index": 0, **choice}]}) + b"\n\n")
