"""Addresses, and what the gateway's answers are made of."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from langstream.cli import client
from langstream.cli.announcement import reachable
from langstream.cli.client import Address, ClientError, without_credentials
from langstream.cli.profile import Profile


def address(**parts: Any) -> Address:
    return Address(Profile(), "my app", "g/1", **parts)


def test_every_part_of_an_address_is_encoded() -> None:
    made = address(parameters={"ses&sion": "a=b c"}, options={"position": "e30="}, credentials="tok&en")
    url = urlsplit(made.websocket("chat"))
    assert url.path == "/v1/chat/default/my%20app/g%2F1"
    assert parse_qsl(url.query) == [
        ("param:ses&sion", "a=b c"), ("option:position", "e30="), ("credentials", "tok&en"),
    ]  # fmt: skip


def test_a_path_below_a_service_stands_before_the_query() -> None:
    made = address(parameters={"p": "1"}).http("service", "/a b/c")
    assert made == "http://localhost:8091/api/gateways/service/default/my%20app/g%2F1/a%20b/c?param:p=1"


def test_credentials_are_not_shown() -> None:
    made = address(credentials="hush", test_credentials="quiet", parameters={"p": "1"})
    assert without_credentials(made.http("consume")).endswith("?param:p=1")
    assert "hush" not in repr(made)
    assert "quiet" not in repr(made)


async def answer(handler: Any) -> list[Any]:
    """The events that a client reads from a handler's response."""
    app = web.Application()
    app.router.add_get("/", handler)
    async with TestServer(app) as server, client.session() as session, session.get(server.make_url("/")) as response:
        await client.require(response)
        return [event async for event in client.events(response)]


async def test_events_of_any_length_are_read() -> None:
    long = "x" * 1_000_000

    async def handler(request: web.Request) -> web.Response:
        text = f': comment\n\nid: 1\ndata: {{"a": "{long}"}}\n\nevent: status\ndata: {{"b": 2}}\n\n'
        return web.Response(text=text, content_type="text/event-stream")

    assert await answer(handler) == [{"a": long}, {"b": 2}]


async def test_an_event_of_failure_is_raised() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text='event: error\ndata: {"detail": "the topic is gone"}\n\n')

    with pytest.raises(ClientError, match="the topic is gone"):
        await answer(handler)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"detail": "a reason"}', r"refused \(400\): a reason"),
        ('{"status": "BAD_REQUEST", "reason": "another"}', r"refused \(400\): another"),
        ("plain text", r"refused \(400\): plain text"),
        ("", r"refused \(400\): without a reason"),
        ("[1]", r"refused \(400\): \[1\]"),
    ],
)
async def test_a_refusal_has_the_gateways_reason(body: str, told: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=400, text=body)

    with pytest.raises(ClientError, match=told):
        await answer(handler)


@pytest.mark.parametrize(("host", "written"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("h", "h")])
def test_hosts_are_written_as_clients_write_them(host: str, written: str) -> None:
    assert reachable(host) == written
