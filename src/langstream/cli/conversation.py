"""The chat loop of the terminal: a question, its status, its answer, streamed where the pipeline streams."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeAlias

import click
import orjson

from langstream.cli import client, description
from langstream.cli.client import Address, ClientError
from langstream.cli.questions import questions

Frames: TypeAlias = AsyncIterator[dict[str, Any]]
Ask: TypeAlias = Callable[[str], Awaitable[None]]


async def through_chat_gateway(address: Address, protocol: str) -> None:
    """Converse through a chat gateway; session parameters that were not given are made up."""
    address = await _ready(address, "chat")
    if protocol == "http":
        async with client.session(address.connect_seconds) as session:
            await _converse(lambda question: _ask_over_http(session, address, question))
        return
    async with client.connected(address.websocket("chat"), address.connect_seconds) as socket:
        frames = client.frames(socket)

        async def ask(question: str) -> None:
            await socket.send(_message(question))
            await _show(frames, acknowledged=False)

        await _converse(ask)


async def through_pair(produce: Address, consume: Address, protocol: str) -> None:
    """Converse through a produce and a consume gateway, which share the session parameters made up for them."""
    made_up: dict[str, str] = {}
    produce = await _ready(produce, "produce", made_up)
    consume = await _ready(replace(consume, options={"position": "latest"}), "consume", made_up)
    async with AsyncExitStack() as stack:
        frames = await _answers(stack, consume, protocol)
        if protocol == "http":
            session = await stack.enter_async_context(client.session(produce.connect_seconds))

            async def send(message: str) -> dict[str, Any]:
                headers = {"Content-Type": "application/json"}
                async with session.post(produce.http("produce"), data=message.encode(), headers=headers) as response:
                    await client.require(response)
                    reply: dict[str, Any] = await response.json()
                    return reply
        else:
            url = produce.websocket("produce")
            socket = await stack.enter_async_context(client.connected(url, produce.connect_seconds))

            async def send(message: str) -> dict[str, Any]:
                await socket.send(message)
                reply: dict[str, Any] = orjson.loads(await socket.recv())
                return reply

        async def ask(question: str) -> None:
            _show_status(await send(_message(question)))
            await _show(frames, acknowledged=True)

        await _converse(ask)


async def _answers(stack: AsyncExitStack, consume: Address, protocol: str) -> Frames:
    if protocol == "ws":
        url = consume.websocket("consume")
        return client.frames(await stack.enter_async_context(client.connected(url, consume.connect_seconds)))
    session = await stack.enter_async_context(client.session(consume.connect_seconds))
    request = session.get(consume.http("consume"), headers={"Accept": "text/event-stream"})
    response = await stack.enter_async_context(request)
    await client.require(response)
    return client.events(response)


async def _ready(address: Address, kind: str, made_up: dict[str, str] | None = None) -> Address:
    """The address with every session parameter, checked as far as the control plane knows the gateway."""
    definition = await description.gateway_definition(address, kind)
    if definition is None:
        return address
    made_up = {} if made_up is None else made_up
    wanted = description.session_parameters(definition) if kind == "chat" else description.parameters(definition)
    for name in wanted:
        made_up.setdefault(name, str(uuid.uuid4()))
    known = description.parameters(definition)
    given: Mapping[str, str] = {name: made_up[name] for name in wanted} | dict(address.parameters)
    if kind != "chat":  # of a pair, each gateway takes what it declares
        given = {name: value for name, value in given.items() if name in known}
    address = replace(address, parameters=given)
    description.check(address, definition)
    return address


async def _converse(ask: Ask) -> None:
    """Ask until the questions end."""
    async for question in questions():
        if question.strip():
            await ask(question)


async def _ask_over_http(session: Any, address: Address, question: str) -> None:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    data = _message(question).encode()
    async with session.post(address.http("chat"), data=data, headers=headers) as response:
        await client.require(response)
        await _show(client.events(response), acknowledged=False)


async def _show(frames: Frames, *, acknowledged: bool) -> None:
    """Print until the question is acknowledged and its answer complete: the last chunk of a stream, or one record."""
    complete = False
    async for frame in frames:
        if "status" in frame:
            _show_status(frame)
            acknowledged = True
        else:
            complete = _show_record(frame.get("record") or {}) or complete
        if complete and acknowledged:
            return
    raise ClientError("the gateway closed the connection before the answer was complete")


def _show_record(record: Mapping[str, Any]) -> bool:
    """Print a record, or a chunk of one. True when nothing more of it comes."""
    headers, value = record.get("headers") or {}, record.get("value")
    last: bool = headers.get("stream-last-message", "true") == "true"
    text = "" if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()
    click.echo(text, nl=last)
    sys.stdout.flush()
    return last


def _show_status(frame: Mapping[str, Any]) -> None:
    if frame.get("status") != "OK":
        raise ClientError(f"the question was not sent: {frame.get('reason') or frame.get('status')}")
    if sys.stdin.isatty():
        click.echo("✅", err=True)


def _message(question: str) -> str:
    return orjson.dumps({"key": None, "value": question, "headers": {}}).decode()
