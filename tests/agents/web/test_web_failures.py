"""What becomes of a record when the service does not answer as it should."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from langstream.errors import ServiceError
from langstream.records import SimpleRecord
from tests.agents.web.conftest import FACT, Bench, Site, page

NAME = "http-request"


async def failure(bench: Bench, path: str = "/x", **options: Any) -> ServiceError:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    outcome = await bench.outcome(NAME, {"url": "{site}" + path, "output-field": "value.r", **named})
    assert isinstance(outcome, ServiceError), outcome
    return outcome


@pytest.mark.parametrize(
    ("status", "category", "retryable"),
    [
        (400, "refused", False),
        (401, "authentication", False),
        (403, "authentication", False),
        (404, "not-found", False),
        (408, "transient", True),
        (409, "refused", False),
        (413, "too-long", False),
        (429, "rate-limited", True),
        (500, "transient", True),
        (501, "refused", False),
        (503, "transient", True),
    ],
)
async def test_a_status_from_400_on_is_an_error_of_its_kind(
    bench: Bench, site: Site, status: int, category: str, retryable: bool
) -> None:
    site.pages["/x"] = page("broken\n  indeed", status)
    error = await failure(bench)
    assert (error.category, error.retryable) == (category, retryable)
    assert str(error) == f"{site.url}/x answered {status}: broken indeed"
    assert len(site.requests) == 1


async def test_the_wait_that_the_service_asks_for_is_told(bench: Bench, site: Site) -> None:
    site.pages["/x"] = page("slowly", 429, Retry_After="7")
    assert (await failure(bench)).retry_after_seconds == 7
    site.pages["/x"] = page("never", 400, Retry_After="7")
    assert (await failure(bench)).retry_after_seconds is None


async def test_messages_are_short_and_have_neither_query_nor_keys(bench: Bench, site: Site) -> None:
    site.pages["/x"] = page("bad key sk-abcdefgh123 " + "x" * 100_000, 400)
    text = str(await failure(bench, "/x?token=hidden"))
    assert "hidden" not in text
    assert "sk-abc" not in text
    assert len(text) < 400


async def test_a_service_that_does_not_answer_in_time_fails_the_record(bench: Bench, site: Site) -> None:
    site.silent("/x")
    error = await failure(bench, timeout_seconds=0.05)
    assert error.retryable is True
    assert "0.05 s" in str(error)


async def test_an_answer_that_trickles_is_bounded_as_a_whole(bench: Bench, site: Site) -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    site.pages["/x"] = trickle
    assert "0.1 s" in str(await failure(bench, timeout_seconds=0.1))


async def test_a_service_that_is_not_there_fails_the_record(bench: Bench, unused_tcp_port: int) -> None:
    options = {"url": f"http://127.0.0.1:{unused_tcp_port}/x", "output-field": "value.r"}
    outcome = await bench.outcome(NAME, options)
    assert isinstance(outcome, ServiceError)
    assert outcome.retryable is True
    assert "cannot be reached" in str(outcome)


async def test_a_connection_that_breaks_off_fails_the_record(bench: Bench, site: Site) -> None:
    site.streams("/x", "half", cut=True)
    error = await failure(bench)
    assert error.retryable is True
    assert "broke the connection off" in str(error)


async def test_a_server_that_speaks_no_http_is_malformed(bench: Bench) -> None:
    async def gibberish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hello there\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(gibberish, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcome = await bench.outcome(NAME, {"url": f"http://127.0.0.1:{port}/", "output-field": "value.r"})
    assert isinstance(outcome, ServiceError)
    assert outcome.category == "malformed"


async def test_a_cancelled_request_leaves_the_service(bench: Bench, site: Site) -> None:
    site.silent("/x")
    agent = await bench.start(NAME, {"url": "{site}/x", "output-field": "value.r"})
    task = asyncio.ensure_future(agent.process_batch([FACT]))
    await site.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await site.left.wait()


async def test_closing_an_agent_that_never_started_is_fine(bench: Bench) -> None:
    agent = await bench.start(NAME, {"url": "{site}/echo", "output-field": "value.r"})
    await agent.close()
    await agent.close()


async def test_failures_leave_the_record_as_it_was(bench: Bench, site: Site) -> None:
    site.pages["/x"] = page("no", 500)
    record = SimpleRecord({"a": {"b": 1}})
    await bench.outcome(NAME, {"url": "{site}/x", "output-field": "value.r"}, record)
    assert record.value() == {"a": {"b": 1}}
