"""The server: ports, stopping, and applications other than the gateway."""

from __future__ import annotations

import signal

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from langstream.errors import LangStreamError
from langstream.gateway.server import serve


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def test_any_application_can_be_served_on_a_free_port() -> None:
    server = await serve(Starlette(routes=[Route("/", hello)]), port=0)
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{server.port}/") as answer:
        assert await answer.text() == "hello"
    await server.stop()
    await server.stop()


async def test_a_port_in_use_is_an_error_that_says_what_to_do() -> None:
    app = Starlette()
    server = await serve(app, port=0)
    with pytest.raises(LangStreamError, match=f"127.0.0.1:{server.port}.*Choose another port"):
        await serve(app, port=server.port)
    await server.stop()


async def test_signals_are_left_to_others() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    server = await serve(Starlette(), port=0)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    await server.stop()
