"""Sending records through a produce gateway."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any

import click
import orjson

from langstream.cli import client, description
from langstream.cli.client import Address, ClientError


def messages(value: str | None, key: str | None, headers: Mapping[str, str]) -> Iterator[bytes]:
    """One message, or with the value `-` one for each line of standard input."""
    values = (line.rstrip("\r\n") for line in sys.stdin) if value == "-" else iter([value])
    for each in values:
        yield orjson.dumps({"key": key, "value": each, "headers": headers})


async def produce(address: Address, sent: Iterable[bytes], protocol: str) -> None:
    """Send every message and print every reply. Raises ClientError at the first that is not `OK`."""
    definition = await description.gateway_definition(address, "produce")
    if definition is not None:
        description.check(address, definition)
    replies = _over_http(address, sent) if protocol == "http" else _over_socket(address, sent)
    async for reply in replies:
        click.echo(orjson.dumps(reply))
        if reply.get("status") != "OK":
            raise ClientError(f"the record was not written: {reply.get('reason') or reply.get('status')}")


async def _over_http(address: Address, sent: Iterable[bytes]) -> AsyncIterator[dict[str, Any]]:
    headers = {"Content-Type": "application/json"}
    async with client.session(address.connect_seconds) as session:
        for message in sent:
            async with session.post(address.http("produce"), data=message, headers=headers) as response:
                await client.require(response)
                yield await response.json()


async def _over_socket(address: Address, sent: Iterable[bytes]) -> AsyncIterator[dict[str, Any]]:
    async with client.connected(address.websocket("produce"), address.connect_seconds) as socket:
        for message in sent:
            await socket.send(message.decode())
            yield orjson.loads(await socket.recv())
