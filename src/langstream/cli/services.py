"""Calling a service gateway: between topics with a record, in front of a service agent with any HTTP request."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import orjson

from langstream.cli import client, description
from langstream.cli.client import Address, ClientError

if TYPE_CHECKING:
    import aiohttp


@dataclass(frozen=True, slots=True)
class Call:
    """What the options ask for."""

    value: str | None
    key: str | None
    headers: Mapping[str, str]
    method: str | None
    path: str
    stream: bool


async def call(address: Address, call: Call) -> None:
    """Make the call and print the answer."""
    definition = await description.gateway_definition(address, "service")
    if definition is not None:
        description.check(address, definition)
    if _is_for_agent(definition, call):
        await _call_agent(address, call)
    else:
        await _call_topics(address, call)


def _is_for_agent(definition: Mapping[str, Any] | None, call: Call) -> bool:
    """Where no control plane tells, the options do: only an agent has methods and paths, and needs no record."""
    if definition is not None:
        return bool((definition.get("service-options") or {}).get("agent-id"))
    return bool(call.method or call.path) or (call.value is None and call.key is None)


async def _call_topics(address: Address, call: Call) -> None:
    if call.value is None and call.key is None:
        raise click.UsageError("give -v VALUE, -k KEY, or both: this gateway takes a record")
    if call.method or call.path:
        raise click.UsageError(
            "--method and --path are for gateways in front of a service agent; this one takes a record"
        )
    body = orjson.dumps({"key": call.key, "value": call.value, "headers": call.headers})
    headers = {"Content-Type": "application/json"} | ({"Accept": "text/event-stream"} if call.stream else {})
    async with (
        client.session(address.connect_seconds) as session,
        session.post(address.http("service"), data=body, headers=headers) as response,
    ):
        await client.require(response)
        if response.content_type == "text/event-stream":
            await _print_text(client.events(response))
        else:
            click.echo(await response.text())


async def _call_agent(address: Address, call: Call) -> None:
    if call.key is not None:
        raise click.UsageError("-k is for records; this gateway passes requests to a service agent")
    method = call.method or ("GET" if call.value is None else "POST")
    body = None if call.value is None else call.value.encode()
    async with (
        client.session(address.connect_seconds) as session,
        session.request(
            method, address.http("service", call.path), data=body, headers=dict(call.headers), allow_redirects=False
        ) as response,
    ):
        await _print_body(response)
        if response.status >= 400:
            raise ClientError(f"the answer has the status {response.status}")


async def _print_body(response: aiohttp.ClientResponse) -> None:
    """The body as it comes, byte for byte; a newline after it where a terminal needs one."""
    last = b"\n"
    async for chunk in response.content.iter_any():
        click.echo(chunk, nl=False)
        last = chunk[-1:] or last
    if last != b"\n" and sys.stdout.isatty():
        click.echo()


async def _print_text(frames: AsyncIterator[dict[str, Any]]) -> None:
    async for frame in frames:
        value = (frame.get("record") or {}).get("value")
        if value is not None:
            click.echo(value if isinstance(value, str) else orjson.dumps(value).decode(), nl=False)
            sys.stdout.flush()
    click.echo()
