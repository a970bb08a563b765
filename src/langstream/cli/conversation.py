"""The chat loop of the terminal: a question, its status, its answer, streamed where the pipeline streams."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import click
import orjson

from langstream.cli import client
from langstream.cli.client import Address

_Ask = Callable[[str], Awaitable[None]]


async def chat_gateway(address: Address, protocol: str) -> None:
    """Converse through a chat gateway; session parameters that were not given are made up."""
    description = await client.application_description(address)
    definition = client.gateway_definition(description, "chat", address.gateway)
    address = replace(address, parameters=_with_session(definition, dict(address.parameters)))
    async with client.session(address.connect_timeout_seconds) as session:
        if protocol == "http":
            await _converse(lambda question: _ask_over_http(session, address, question))
            return
        async with session.ws_connect(
            address.websocket("chat"), max_msg_size=client.MAX_FRAME_BYTES, heartbeat=30
        ) as socket:
            frames = client.frames(socket)
            await _converse(lambda question: _ask(socket, frames, question))


async def gateway_pair(produce: Address, consume: Address) -> None:
    """Converse through a produce and a consume gateway."""
    options = {"position": "latest"}
    async with (
        client.session(produce.connect_timeout_seconds) as session,
        session.ws_connect(
            replace(consume, options=options).websocket("consume"), max_msg_size=client.MAX_FRAME_BYTES, heartbeat=30
        ) as answers,
        session.ws_connect(produce.websocket("produce"), heartbeat=30) as questions,
    ):
        replies, frames = client.frames(questions), client.frames(answers)

        async def ask(question: str) -> None:
            await questions.send_str(_message(question))
            _show_status(await anext(replies))
            await _show_answer(frames)

        await _converse(ask)


async def _converse(ask: _Ask) -> None:
    """Read questions until end of input; several lines piped in are asked one after the other."""
    loop = asyncio.get_running_loop()
    interactive = sys.stdin.isatty()
    while True:
        if interactive:
            click.secho("You: ", fg="cyan", nl=False)
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            return
        if line.strip():
            await ask(line.rstrip("\n"))


async def _ask(socket: aiohttp.ClientWebSocketResponse, frames: AsyncIterator[dict[str, Any]], question: str) -> None:
    await socket.send_str(_message(question))
    await _show_answer(frames)


async def _ask_over_http(session: aiohttp.ClientSession, address: Address, question: str) -> None:
    async with session.post(address.http("chat"), json={"value": question}) as response:
        if response.status != 200:
            raise client.ClientError(await client.problem_of(response))
        await _show_answer(frame async for _, frame in client.events(response))


async def _show_answer(frames: AsyncIterator[dict[str, Any]]) -> None:
    """Print records until the answer is complete: the last message of a stream, or one plain record."""
    async for frame in frames:
        if "status" in frame:
            _show_status(frame)
            continue
        record = frame.get("record") or {}
        headers, value = record.get("headers") or {}, record.get("value")
        click.echo(value if isinstance(value, str) else orjson.dumps(value).decode(), nl=False)
        sys.stdout.flush()
        if headers.get("stream-last-message", "true") == "true":
            click.echo()
            return
    raise client.ClientError("the gateway closed the connection before the answer was complete")


def _show_status(frame: dict[str, Any]) -> None:
    if frame.get("status") != "OK":
        raise client.ClientError(f"{frame.get('status')}: {frame.get('reason')}")


def _message(question: str) -> str:
    return orjson.dumps({"key": None, "value": question, "headers": {}}).decode()


def _with_session(definition: dict[str, Any] | None, given: dict[str, str]) -> dict[str, str]:
    headers = ((definition or {}).get("chat-options") or {}).get("headers") or []
    names = [each.get("value-from-parameters") or each.get("valueFromParameters") for each in headers]
    return {**{name: str(uuid.uuid4()) for name in names if name}, **given}
