"""Consume and chat over server-sent events."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp

from langstream.application.model import ChatOptions, Gateway, GatewayType, HeaderRule
from langstream.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from tests.gateway.conftest import Harness, Start

DOWN = Gateway("down", GatewayType.CONSUME, topic="in")
RULES = (HeaderRule("session", value_from_parameters="session-id"),)
TALK = Gateway("talk", GatewayType.CHAT, chat=ChatOptions("questions", "answers", RULES))


async def next_event(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """The next event that is not a comment: its fields."""
    async with asyncio.timeout(60):
        fields: dict[str, str] = {}
        while True:
            line = (await answer.content.readline()).decode()
            assert line, "the stream ended"
            if line == "\n" and fields:
                return fields
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value


def value(event: dict[str, str]) -> Any:
    return json.loads(event["data"])["record"]["value"]


async def test_records_come_as_events_and_their_ids_resume(start: Start) -> None:
    gateway = await start(DOWN)
    url = gateway.url("consume", "down", {"option:position": "earliest"})
    await gateway.send("in", "m1", "m2")
    async with gateway.http.get(url) as answer:
        assert answer.content_type == "text/event-stream"
        first = await next_event(answer)
        assert value(first) == "m1"
        assert json.loads(first["data"])["offset"] == first["id"]
    async with gateway.http.get(url, headers={"Last-Event-ID": first["id"]}) as answer:
        assert value(await next_event(answer)) == "m2"
        await gateway.send("in", "m3")
        assert value(await next_event(answer)) == "m3"


async def test_a_bad_position_is_a_problem(start: Start) -> None:
    gateway = await start(DOWN)
    async with gateway.http.get(gateway.url("consume", "down"), headers={"Last-Event-ID": "???"}) as answer:
        assert (answer.status, answer.content_type) == (400, "application/problem+json")


async def test_a_silent_stream_is_kept_open_by_comments(start: Start) -> None:
    gateway = await start(DOWN, settings=GatewaySettings(ping_interval_seconds=0.05))
    async with gateway.http.get(gateway.url("consume", "down")) as answer, asyncio.timeout(60):
        lines = [await answer.content.readline() for _ in range(6)]
    assert lines.count(b": still here\n") == 2


async def test_a_client_that_leaves_is_released(start: Start) -> None:
    gateway = await start(DOWN)
    async with gateway.http.get(gateway.url("consume", "down")) as answer:
        await answer.content.readline()
        assert gateway.metric("langstream_gateway_sessions", type="consume") == 1
    await gateway.until(lambda: not gateway.metric("langstream_gateway_sessions", type="consume"))


async def answer_question(gateway: Harness, *answers: dict[str, str]) -> None:
    question = (await gateway.read("questions", 1))[0]
    headers = dict(question.headers())
    for number, marks in enumerate(answers):
        await gateway.send("answers", f"a{number}", headers={**headers, **marks})


async def test_a_chat_ends_with_the_first_whole_answer(start: Start) -> None:
    gateway = await start(TALK, topics=("questions", "answers"))
    url = gateway.url("chat", "talk", {"param:session-id": "s1"})
    async with gateway.http.post(url, json={"value": "why"}) as answer:
        status = await next_event(answer)
        assert status["event"] == "status"
        assert json.loads(status["data"]) == {"status": "OK", "reason": None}
        await answer_question(gateway, {"session": "somebody else"}, {})
        assert value(await next_event(answer)) == "a1"
        assert await answer.read() == b""


async def test_a_chat_ends_with_the_last_chunk_of_its_stream(start: Start) -> None:
    gateway = await start(TALK, topics=("questions", "answers"))
    url = gateway.url("chat", "talk", {"param:session-id": "s1"})
    async with gateway.http.post(url, data="why") as answer:
        await next_event(answer)
        chunk = {"stream-id": "x", "stream-last-message": "false"}
        await answer_question(
            gateway,
            chunk,
            {"stream-id": "other", "stream-last-message": "true"},
            chunk,
            {"stream-id": "x", "stream-last-message": "true"},
        )
        assert [value(await next_event(answer)) for _ in range(4)] == ["a0", "a1", "a2", "a3"]
        assert await answer.read() == b""


async def test_a_chat_without_an_answer_ends_with_a_problem(start: Start) -> None:
    gateway = await start(TALK, topics=("questions", "answers"), settings=GatewaySettings(answer_timeout_seconds=0.1))
    url = gateway.url("chat", "talk", {"param:session-id": "s1"})
    async with gateway.http.post(url, json={"value": "why"}) as answer:
        await next_event(answer)
        error = await next_event(answer)
        assert error["event"] == "error"
        assert json.loads(error["data"])["status"] == 504


async def test_a_bad_question_is_a_problem(start: Start) -> None:
    gateway = await start(TALK, topics=("questions", "answers"))
    async with gateway.http.post(gateway.url("chat", "talk", {"param:session-id": "s"}), json={}) as answer:
        assert answer.status == 400
    async with gateway.http.post(gateway.url("chat", "talk"), json={"value": "x"}) as answer:
        assert answer.status == 400


async def test_stopping_ends_open_streams(start: Start) -> None:
    gateway = await start(DOWN)
    async with gateway.http.get(gateway.url("consume", "down")) as answer:
        await answer.content.readline()
        async with asyncio.timeout(30):
            await gateway.server.stop()
            await answer.read()
