"""HTTP produce gateways, problem documents, management and limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from langstream.application.model import Gateway, GatewayType, HeaderRule, SchemaSpec, Topic
from langstream.errors import BrokerUnavailable
from langstream.gateway.settings import GatewaySettings
from langstream.records import AvroValue

if TYPE_CHECKING:
    from tests.gateway.conftest import Harness, Start

UP = Gateway("up", GatewayType.PRODUCE, topic="in")
JSON = {"Content-Type": "application/json"}


async def post(
    gateway: Harness, body: Any, headers: dict[str, str] | None = None, query: dict[str, str] | None = None
) -> tuple[int, Any]:
    how: dict[str, Any] = {"data": body} if isinstance(body, str | bytes) else {"json": body}
    skip = ("Content-Type",) if isinstance(body, str | bytes) else ()
    async with gateway.http.post(
        gateway.url("produce", "up", query), headers=headers, skip_auto_headers=skip, **how
    ) as answer:
        return answer.status, await answer.json(content_type=None)


@pytest.mark.parametrize(
    "message",
    [
        {"key": "k", "value": "v"},
        {"key": "k"},
        {"key": "k", "headers": {"h": "x"}},
        {"value": [1, 2.5, None]},
        {"value": False},
        {"value": 12345678901234567890123},
    ],
)
async def test_a_json_message_is_written(start: Start, message: dict[str, Any]) -> None:
    gateway = await start(UP)
    assert await post(gateway, message) == (200, {"status": "OK", "reason": None})
    record = (await gateway.read("in", 1))[0]
    assert record.key() == message.get("key")
    assert record.headers() == list(message.get("headers", {}).items())


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded"]
)
async def test_a_text_body_is_the_value(start: Start, content_type: str | None) -> None:
    gateway = await start(UP)
    status, _ = await post(gateway, '{"key": "grüße"}', {"Content-Type": content_type} if content_type else None)
    assert status == 200
    record = (await gateway.read("in", 1))[0]
    assert (record.key(), record.value()) == (None, '{"key": "grüße"}')


async def test_the_charset_of_the_body_is_respected(start: Start) -> None:
    gateway = await start(UP)
    text = '{"value": "grüße"}'
    await post(gateway, text.encode("latin-1"), {"Content-Type": "application/json; charset=ISO-8859-1"})
    await post(gateway, text.encode(), {"Content-Type": "application/json;charset=UTF-8"})
    assert [record.value() for record in await gateway.read("in", 2)] == ["grüße", "grüße"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        ("{not json", "application/json", 400, "Error while parsing JSON payload"),
        ("{}", "application/json", 400, "Either key or value must be set"),
        ("[]", "application/json", 400, "expected an object"),
        ('{"value": 1, "vlaue": 2}', "application/json", 400, "unknown member 'vlaue'. Did you mean 'value'?"),
        ('{"value": 1, "headers": {"via": "me"}}', "application/json", 400, "Header via is configured"),
        ("", None, 400, "Either key or value must be set"),
        ("\udcff".encode("utf-8", "surrogateescape"), "text/plain", 400, "is not utf-8 text"),
        ("x", "text/plain; charset=klingon", 400, "klingon"),
        ("x", "image/png", 415, "Unsupported content type image/png"),
    ],
)
async def test_a_bad_message_is_a_problem(
    start: Start, body: str | bytes, content_type: str | None, status: int, reason: str
) -> None:
    gateway = await start(Gateway("up", GatewayType.PRODUCE, topic="in", headers=(HeaderRule("via", value="gateway"),)))
    actual, problem = await post(gateway, body, {"Content-Type": content_type} if content_type else None)
    assert actual == problem["status"] == status
    assert problem["detail"].startswith("Error for gateway up (tenant: default, appId: app): ")
    assert reason in problem["detail"]
    assert problem["instance"] == "/api/gateways/produce/default/app/up"
    assert set(problem) == {"type", "title", "status", "detail", "instance"}


async def test_headers_come_from_values_and_parameters(start: Start) -> None:
    rules = (HeaderRule("who", value_from_parameters="user"), HeaderRule("via", value="gateway"))
    gateway = await start(Gateway("up", GatewayType.PRODUCE, topic="in", parameters=("user",), headers=rules))
    await post(gateway, {"value": "x", "headers": {"own": 1}}, query={"param:user": "mo"})
    assert (await gateway.read("in", 1))[0].headers() == [("who", "mo"), ("via", "gateway"), ("own", "1")]


async def test_a_header_from_authentication_needs_authentication(start: Start) -> None:
    rules = (HeaderRule("who", value_from_authentication="login"),)
    gateway = await start(Gateway("up", GatewayType.PRODUCE, topic="in", headers=rules))
    status, problem = await post(gateway, {"value": "x"})
    assert status == 400
    assert "header who cannot be empty" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("produce/default/app/sideways", "sideways"),
        ("produce/default/app/down", "type consume, not produce"),
        ("produce/default/nobody/up", "nobody"),
        ("produce/other/app/up", "app"),
        ("produce/up", "Not Found"),
    ],
)
async def test_what_does_not_exist_is_not_found(start: Start, path: str, text: str) -> None:
    gateway = await start(UP, Gateway("down", GatewayType.CONSUME, topic="in"))
    url = f"http://127.0.0.1:{gateway.server.port}/api/gateways/{path}"
    async with gateway.http.post(url, json={"value": "x"}) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
        assert text in (await answer.json(content_type=None))["detail"]


async def test_a_wrong_method_says_which_is_right(start: Start) -> None:
    gateway = await start(UP)
    async with gateway.http.get(gateway.url("produce", "up")) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_a_broker_that_is_away_is_service_unavailable(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = await start(UP)

    async def away(*_: object) -> None:
        raise BrokerUnavailable("no connection")

    monkeypatch.setattr(type(gateway.producer), "send", away)
    status, problem = await post(gateway, {"value": "x"})
    assert status == 503
    assert "no connection" in problem["detail"]
    up = await gateway.socket("produce", "up")
    await up.send({"value": "x"})
    assert await up.receive() == {"status": "PRODUCER_ERROR", "reason": "no connection"}


async def test_an_unforeseen_failure_is_a_problem_without_its_text(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await start(UP)

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(type(gateway.producer), "send", broken)
    status, problem = await post(gateway, {"value": "x"})
    assert status == 500
    assert "secret detail" not in problem["detail"]


async def test_a_body_that_is_too_large_is_refused(start: Start) -> None:
    gateway = await start(UP, settings=GatewaySettings(max_body_bytes=1000))
    assert (await post(gateway, "x" * 1000))[0] == 200
    assert (await post(gateway, "x" * 1001))[0] == 413


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_failure(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await start(UP)
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
    path = "/api/gateways/produce/default/app/up"
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)
    assert (await post(gateway, "whole"))[0] == 200
    assert not caplog.records


async def test_values_for_an_avro_topic_fit_its_schema(start: Start) -> None:
    schema = '{"type": "record", "name": "P", "fields": [{"name": "name", "type": "string"}]}'
    gateway = await start(UP, topics=(Topic("in", value_schema=SchemaSpec("avro", schema)),))
    assert (await post(gateway, {"value": {"name": "ann"}}))[0] == 200
    status, problem = await post(gateway, {"value": {"age": 3}})
    assert status == 400
    assert "Avro schema" in problem["detail"]
    value = (await gateway.read("in", 1))[0].value()
    assert isinstance(value, AvroValue)
    assert value.value == {"name": "ann"}


async def test_the_producer_cache_counts_what_it_does(start: Start) -> None:
    ups = [Gateway(name, GatewayType.PRODUCE, topic="in") for name in ("up", "up2", "up3")]
    gateway = await start(*ups, settings=GatewaySettings(producer_cache_size=2))
    for name in ("up", "up", "up2", "up3"):
        async with gateway.http.post(gateway.url("produce", name), json={"value": "x"}) as answer:
            assert answer.status == 200
    cache = {"cache": "topic_producer_cache"}
    assert gateway.metric("cache_puts_total", **cache) == 3
    assert gateway.metric("cache_gets_total", result="hit", **cache) == 1
    assert gateway.metric("cache_gets_total", result="miss", **cache) == 3
    assert gateway.metric("cache_evictions_total", **cache) == 1
    assert gateway.metric("cache_size", **cache) == 2
    for path in ("/management/prometheus", "/metrics"):
        async with gateway.http.get(f"http://127.0.0.1:{gateway.server.port}{path}") as answer:
            assert 'cache_gets_total{cache="topic_producer_cache",result="hit"} 1.0' in await answer.text()


async def test_health_follows_the_product(start: Start) -> None:
    gateway = await start(UP)
    url = f"http://127.0.0.1:{gateway.server.port}/management"
    async with gateway.http.get(f"{url}/health") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "UP"})
    gateway.healthy = False
    async with gateway.http.get(f"{url}/health") as answer:
        assert (answer.status, await answer.json()) == (503, {"status": "DOWN"})
    async with gateway.http.get(f"{url}/info") as answer:
        assert (await answer.json())["application"] == "langstream-gateway"


async def test_pages_of_any_origin_may_use_the_gateway_without_cookies(start: Start) -> None:
    gateway = await start(UP)
    origin = {"Origin": "https://page.example"}
    async with gateway.http.options(
        gateway.url("produce", "up"), headers={**origin, "Access-Control-Request-Method": "POST"}
    ) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    async with gateway.http.post(gateway.url("produce", "up"), json={}, headers=origin) as answer:
        assert answer.status == 400
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers
