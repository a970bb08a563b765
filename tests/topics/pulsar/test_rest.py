"""The administration interface, as a small server plays it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from langstream.errors import BrokerUnavailable, TopicError
from langstream.topics.pulsar.rest import Rest, RestError
from langstream.topics.pulsar.security import Credentials, Tls


class Interface:
    """Answers with what is queued, and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[web.Request] = []
        self.url = ""
        self.stack = AsyncExitStack()

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.asked.append(request)
        status, body = self.answers.pop(0) if self.answers else (200, None)
        if status == 307:
            return web.Response(status=status, headers={"Location": str(body)})
        return web.Response(status=status, text="" if body is None else json.dumps(body))

    async def rest(self, login: Credentials | None = None) -> Rest:
        made = Rest((self.url,), login or Credentials(), Tls())
        await made.start()
        self.stack.push_async_callback(made.close)
        return made


@pytest.fixture
async def interface(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Interface]:
    monkeypatch.setattr("langstream.topics.pulsar.rest.PAUSE_SECONDS", 0.0)
    made = Interface()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = str(runner.addresses and f"http://127.0.0.1:{runner.addresses[0][1]}")
    async with made.stack:
        yield made
    await runner.cleanup()


async def test_names_are_quoted(interface: Interface) -> None:
    await (await interface.rest()).get("persistent", "a b", "ö/x", check="true")
    assert interface.asked[0].raw_path == "/admin/v2/persistent/a%20b/%C3%B6%2Fx?check=true"


async def test_what_is_not_there_is_none(interface: Interface) -> None:
    interface.answers = [(404, {"reason": "gone"}), (404, None)]
    rest = await interface.rest()
    assert await rest.get("a") is None
    assert not await rest.delete("a")


async def test_what_passes_is_tried_again(interface: Interface) -> None:
    interface.answers = [(503, None), (500, {"reason": "later"}), (200, {"found": 1})]
    assert await (await interface.rest()).get("a") == {"found": 1}


async def test_what_does_not_pass_is_told_in_the_broker_s_words(interface: Interface) -> None:
    interface.answers = [(500, {"reason": "no bookies"})] * 4
    with pytest.raises(BrokerUnavailable, match="no bookies"):
        await (await interface.rest()).get("a")
    interface.answers = [(412, {"reason": "Topic name is not valid"})]
    with pytest.raises(RestError, match=r"Topic name is not valid \(HTTP 412\)"):
        await (await interface.rest()).put("a")


async def test_credentials_that_are_refused_are_told_and_not_shown(interface: Interface) -> None:
    interface.answers = [(401, {"reason": "secret-token is bad"})]
    rest = await interface.rest(Credentials("token", {"token": "secret-token"}))
    with pytest.raises(TopicError, match="credentials are not accepted") as raised:
        await rest.get("a")
    assert "secret-token" not in str(raised.value)
    assert interface.asked[0].headers["Authorization"] == "Bearer secret-token"


async def test_the_broker_that_has_the_topic_gets_the_credentials_too(interface: Interface) -> None:
    elsewhere = interface.url.replace("127.0.0.1", "localhost")
    interface.answers = [(307, f"{elsewhere}/admin/v2/moved?authoritative=true"), (200, {"found": 1})]
    rest = await interface.rest(Credentials("token", {"token": "t"}))
    assert await rest.get("a", b="c") == {"found": 1}
    assert interface.asked[1].path_qs == "/admin/v2/moved?authoritative=true"
    assert interface.asked[1].headers["Authorization"] == "Bearer t"


async def test_basic_credentials_are_sent(interface: Interface) -> None:
    await (await interface.rest(Credentials("basic", {"userId": "u", "password": "p"}))).get("a")
    assert interface.asked[0].headers["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()


async def test_oauth_2_takes_a_token_once(interface: Interface) -> None:
    key = base64.b64encode(json.dumps({"client_id": "me", "client_secret": "s"}).encode()).decode()
    parameters = {"issuerUrl": interface.url, "privateKey": f"data:application/json;base64,{key}", "audience": "all"}
    interface.answers = [
        (200, {"token_endpoint": f"{interface.url}/token"}),
        (200, {"access_token": "fresh", "expires_in": 3600}),
    ]
    rest = await interface.rest(Credentials("oauth2", parameters))
    await rest.get("a")
    await rest.get("b")
    assert [request.path for request in interface.asked] == [
        "/.well-known/openid-configuration", "/token", "/admin/v2/a", "/admin/v2/b",
    ]  # fmt: skip
    form = await interface.asked[1].post()
    assert (form["grant_type"], form["client_id"], form["audience"]) == ("client_credentials", "me", "all")
    assert interface.asked[3].headers["Authorization"] == "Bearer fresh"


async def test_an_issuer_that_gives_no_token_is_told(interface: Interface) -> None:
    key = base64.b64encode(b'{"client_id": "me", "client_secret": "s3cret"}').decode()
    parameters = {"issuerUrl": interface.url, "privateKey": f"data:;base64,{key}"}
    interface.answers = [(200, {"token_endpoint": f"{interface.url}/token"}), (403, {"error": "s3cret"})]
    with pytest.raises(TopicError, match="gives no token") as raised:
        await (await interface.rest(Credentials("oauth2", parameters))).get("a")
    assert "s3cret" not in str(raised.value)


async def test_athenz_is_for_records_only(interface: Interface) -> None:
    with pytest.raises(TopicError, match="Athenz"):
        await (await interface.rest(Credentials("athenz", {"tenantDomain": "d"}))).get("a")
