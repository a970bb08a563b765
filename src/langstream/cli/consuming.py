"""Receiving records through a consume gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import click
import orjson

from langstream.cli import client, description
from langstream.cli.client import Address, ClientError


async def consume(address: Address, count: int, protocol: str) -> None:
    """Print frames until `count` of them came; 0 and less: until somebody ends it."""
    definition = await description.gateway_definition(address, "consume")
    if definition is not None:
        description.check(address, definition)
    await (_over_http if protocol == "http" else _over_socket)(address, count)


async def _over_http(address: Address, count: int) -> None:
    url = address.http("consume")
    async with (
        client.session(address.connect_seconds) as session,
        session.get(url, headers={"Accept": "text/event-stream"}) as response,
    ):
        await client.require(response)
        _connected(url)
        await _print(client.events(response), count)


async def _over_socket(address: Address, count: int) -> None:
    url = address.websocket("consume")
    async with client.connected(url, address.connect_seconds) as socket:
        _connected(url)
        await _print(client.frames(socket), count)


def _connected(url: str) -> None:
    click.echo(f"Connected to {client.without_credentials(url)}", err=True)


async def _print(frames: AsyncIterator[dict[str, Any]], count: int) -> None:
    left = count
    async for frame in frames:
        if "record" not in frame:
            continue
        click.echo(orjson.dumps(frame))
        left -= 1
        if left == 0:
            return
    raise ClientError("the gateway closed the connection: the application was stopped")
