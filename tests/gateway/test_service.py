"""Service gateways over topics and in front of service agents."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web

from langstream.application.model import Gateway, GatewayAuthentication, GatewayType, HeaderRule, ServiceOptions
from langstream.gateway.service import REQUEST_ID

if TYPE_CHECKING:
    from tests.gateway.conftest import Harness, Start


def service(**options: Any) -> Gateway:
    parameters = options.pop("parameters", ())
    return Gateway(
        "svc", GatewayType.SERVICE, parameters=parameters, service=ServiceOptions(None, "in", "out", **options)
    )


@contextlib.asynccontextmanager
async def echoing(gateway: Harness, chunks: int = 0) -> AsyncIterator[None]:
    """A pipeline from in to out: every record comes back, or as many chunks of it."""

    async def run() -> None:
        reader = gateway.cluster.reader("in", "earliest")
        await reader.start()
        try:
            while True:
                for run in await reader.read(1000, 5):
                    for record in run.records:
                        headers = dict(record.headers())
                        for index in range(1, chunks + 1):
                            marks = {"stream-id": "s", "stream-index": str(index)}
                            marks["stream-last-message"] = "true" if index == chunks else "false"
                            await gateway.send("out", f"chunk {index}", headers={**headers, **marks})
                        if not chunks:
                            await gateway.send("out", f"re: {record.value()}", key=record.key(), headers=headers)
        finally:
            await reader.close()

    task = asyncio.create_task(run())
    yield
    task.cancel()
    await asyncio.wait([task])


async def test_the_answer_is_the_record_with_the_id_of_the_request(start: Start) -> None:
    gateway = await start(service(headers=(HeaderRule("via", value="svc"),)))
    async with echoing(gateway):
        message = {"key": "k", "value": "hello", "headers": {"own": "h"}}
        async with gateway.http.post(gateway.url("service", "svc"), json=message) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            record = (await answer.json())["record"]
    assert (record["key"], record["value"]) == ("k", "re: hello")
    assert set(record["headers"]) == {"own", "via", REQUEST_ID}


async def test_parallel_calls_each_get_their_own_answer_from_one_reader(start: Start) -> None:
    gateway = await start(service())

    async def call(number: int) -> str:
        async with gateway.http.post(gateway.url("service", "svc"), json={"value": f"{number}"}) as answer:
            return str((await answer.json())["record"]["value"])

    async with echoing(gateway):
        assert await asyncio.gather(*map(call, range(100))) == [f"re: {number}" for number in range(100)]
    assert gateway.metric("langstream_gateway_tails") == 1
    assert gateway.metric("langstream_gateway_tail_records_total") == 100


async def test_declared_parameters_can_be_given_and_become_headers(start: Start) -> None:
    rules = (HeaderRule("user", value_from_parameters="user"),)
    gateway = await start(service(headers=rules, parameters=("user",)))
    async with echoing(gateway):
        url = gateway.url("service", "svc", {"param:user": "ann"})
        async with gateway.http.post(url, json={"value": "x"}) as answer:
            assert (await answer.json())["record"]["headers"]["user"] == "ann"
    async with gateway.http.post(gateway.url("service", "svc"), json={"value": "x"}) as answer:
        assert answer.status == 400


async def test_other_methods_than_post_are_refused(start: Start) -> None:
    gateway = await start(service())
    async with gateway.http.get(gateway.url("service", "svc")) as answer:
        assert answer.status == 405


async def test_no_answer_is_a_timeout_that_releases_everything(start: Start) -> None:
    gateway = await start(service(timeout_seconds=0.05))
    async with gateway.http.post(gateway.url("service", "svc"), json={"value": "x"}) as answer:
        assert answer.status == 408
        assert "no answer within 0.05 seconds" in (await answer.json(content_type=None))["detail"]
    assert followers(gateway) == 0


async def test_a_client_that_leaves_releases_everything(start: Start) -> None:
    gateway = await start(service())

    async def call() -> None:
        async with gateway.http.post(gateway.url("service", "svc"), json={"value": "x"}):
            pass

    task = asyncio.create_task(call())
    await gateway.read("in", 1)
    assert followers(gateway) == 1
    task.cancel()
    await asyncio.wait([task])
    await gateway.until(lambda: not followers(gateway))


async def test_a_streamed_answer_comes_as_events_until_its_last_chunk(start: Start) -> None:
    gateway = await start(service())
    accept = {"Accept": "text/event-stream"}
    async with (
        echoing(gateway, chunks=3),
        gateway.http.post(gateway.url("service", "svc"), json={"value": "x"}, headers=accept) as answer,
    ):
        assert answer.content_type == "text/event-stream"
        text = await answer.text()
    assert [f'"value":"chunk {n}"' in text for n in (1, 2, 3)] == [True, True, True]
    assert text.count("\nid: ") + text.startswith("id: ") == 3
    assert followers(gateway) == 0


async def test_a_streamed_answer_that_stops_ends_with_a_problem(start: Start) -> None:
    gateway = await start(service(timeout_seconds=0.1))
    accept = {"Accept": "text/event-stream"}
    async with gateway.http.post(gateway.url("service", "svc"), json={"value": "x"}, headers=accept) as answer:
        text = await answer.text()
    assert "event: error" in text
    assert '"status":504' in text


def followers(gateway: Harness) -> int:
    return sum(len(tail._followers) for tail, _ in gateway.parts.tails._tails.values())


# --- service agents ---


@contextlib.asynccontextmanager
async def agent() -> AsyncIterator[tuple[str, list[web.Request]]]:
    """A service agent that answers with what it was asked."""
    seen: list[web.Request] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        if request.path == "/missing":
            return web.Response(status=404, text="no such thing")
        if request.path == "/slow":
            await asyncio.sleep(5)
        if request.path == "/stream":
            response = web.StreamResponse()
            await response.prepare(request)
            for number in range(3):
                await response.write(f"part {number};".encode())
            return response
        body = await request.read()
        answer = web.json_response(
            {
                "method": request.method,
                "path": request.raw_path,
                "headers": [[name.lower(), value] for name, value in request.headers.items()],
                "body": body.decode(),
            }
        )
        answer.headers.add("Set-Cookie", "a=1")
        answer.headers.add("Set-Cookie", "b=2")
        return answer

    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


def proxied(**options: Any) -> Gateway:
    authentication = options.pop("authentication", None)
    return Gateway(
        "svc", GatewayType.SERVICE, authentication=authentication, service=ServiceOptions("agent", **options)
    )


async def test_method_path_query_headers_and_body_reach_the_agent(start: Start) -> None:
    async with agent() as (address, _):
        gateway = await start(proxied(), address=lambda name: address if name == "agent" else None)
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            url = gateway.url(
                "service", "svc", rest="/some%20where/deep?q=1&q=%C3%A4&param:x=1&option:y=2&credentials=c"
            )
            async with gateway.http.request(method, url, headers={"X-One": "1"}, data=b"body") as answer:
                seen = await answer.json()
            assert (seen["method"], seen["body"]) == (method, "body")
            assert seen["path"].startswith("/some%20where/deep?q=1&q=")
            assert not any(word in seen["path"] for word in ("param", "option", "credentials"))
            assert ["x-one", "1"] in seen["headers"]


async def test_headers_of_several_values_stay_several(start: Start) -> None:
    async with agent() as (address, _):
        gateway = await start(proxied(), address=lambda name: address)
        headers = [("X-Many", "1"), ("X-Many", "2")]
        async with gateway.http.get(gateway.url("service", "svc"), headers=headers) as answer:
            seen = await answer.json()
            assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert [value for name, value in seen["headers"] if name == "x-many"] == ["1", "2"]
        assert seen["path"] == "/"


async def test_the_headers_of_the_gateway_reach_the_agent_and_cannot_be_forged(start: Start) -> None:
    async with agent() as (address, _):
        rules = (HeaderRule("X-User", value="ann"),)
        gateway = await start(proxied(headers=rules), address=lambda name: address)
        async with gateway.http.get(gateway.url("service", "svc"), headers={"x-user": "root"}) as answer:
            seen = await answer.json()
        assert [value for name, value in seen["headers"] if name == "x-user"] == ["ann"]


async def test_authorization_is_the_agents_only_where_the_gateway_does_not_ask_for_it(start: Start) -> None:
    async with agent() as (address, _):
        own = {"Authorization": "Bearer mine"}
        gateway = await start(proxied(), address=lambda name: address)
        async with gateway.http.get(gateway.url("service", "svc"), headers=own) as answer:
            assert ["authorization", "Bearer mine"] in (await answer.json())["headers"]
        judge = GatewayAuthentication("http", {"base-url": address})
        guarded = await start(proxied(authentication=judge), address=lambda name: address)
        async with guarded.http.get(guarded.url("service", "svc"), headers=own) as answer:
            assert not [name for name, _ in (await answer.json())["headers"] if name == "authorization"]


async def test_the_status_of_the_agent_is_the_clients(start: Start) -> None:
    async with agent() as (address, _):
        gateway = await start(proxied(), address=lambda name: address)
        async with gateway.http.get(gateway.url("service", "svc", rest="/missing")) as answer:
            assert (answer.status, await answer.text()) == (404, "no such thing")


async def test_bodies_are_streamed_both_ways(start: Start) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 100_000

    async with agent() as (address, _):
        gateway = await start(proxied(), address=lambda name: address)
        async with gateway.http.get(gateway.url("service", "svc", rest="/stream")) as answer:
            assert await answer.text() == "part 0;part 1;part 2;"
        async with gateway.http.post(gateway.url("service", "svc"), data=parts()) as answer:
            assert len((await answer.json())["body"]) == 4_000_000


@pytest.mark.parametrize(
    ("path", "address", "status"),
    [("/slow", "running", 504), ("/", "http://127.0.0.1:1", 502), ("/", None, 400)],
)
async def test_an_agent_that_cannot_answer_is_a_problem(
    start: Start, path: str, address: str | None, status: int
) -> None:
    async with agent() as (running, _):
        where = running if address == "running" else address
        gateway = await start(proxied(timeout_seconds=0.2), address=lambda name: where)
        async with gateway.http.get(gateway.url("service", "svc", rest=path)) as answer:
            assert answer.status == status
            assert answer.content_type == "application/problem+json"


async def test_a_client_that_leaves_ends_the_request_to_the_agent(start: Start) -> None:
    async with agent() as (address, seen):
        gateway = await start(proxied(), address=lambda name: address)
        async with ClientSession() as impatient:
            task = asyncio.create_task(impatient.get(gateway.url("service", "svc", rest="/slow")).__aenter__())
            await gateway.until(lambda: bool(seen))
            task.cancel()
            await asyncio.wait([task])
        await gateway.until(lambda: seen[0].transport is None or seen[0].transport.is_closing())
