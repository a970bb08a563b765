"""A server that gives prepared answers, one after the other, and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Scripted:
    """Use it as an asynchronous context; the last answer is repeated."""

    def __init__(self, *answers: Answering) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.address = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.raw_path))
        self.headers.append(dict(request.headers))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return await answer(request)


def answer(status: int, body: str = "", **headers: str) -> Answering:
    """A whole answer; header names with `_` for `-`."""

    async def give(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body.encode(), headers=named)

    return give


def refusal(status: int, code: str, message: str = "No.") -> Answering:
    """A refusal as S3 and Azure write it."""
    return answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>")


def broken(data: bytes, length: int, status: int = 200, **headers: str) -> Answering:
    """An answer whose connection breaks after `data`, though `length` was promised."""

    async def give(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = web.StreamResponse(status=status, headers={**named, "Content-Length": str(length)})
        await response.prepare(request)
        await response.write(data)
        assert request.transport is not None
        request.transport.close()
        return response

    return give
