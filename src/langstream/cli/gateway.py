"""`langstream gateway produce|consume|chat|service`: a client for the gateways of a running application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

import click
import orjson

from langstream.cli import client
from langstream.cli.client import Address
from langstream.cli.options import pairs
from langstream.cli.profile import Profile, load_profile

Command = TypeVar("Command", bound=Callable[..., Any])

_PROTOCOL = click.option(
    "--protocol", type=click.Choice(["ws", "http"]), default="ws", show_default=True, help="WebSocket or HTTP."
)


def _connection_options(command: Command) -> Command:
    for option in (
        click.option("--url", help="Address of the gateway (default: of the profile, ws://localhost:8091)."),
        click.option("--tenant", help="Tenant (default: of the profile)."),
        click.option("--connect-timeout", type=float, metavar="SEC", help="Give up connecting after this time."),
        click.option("-tc", "--test-credentials", help="Credentials for test mode."),
        click.option("-c", "--credentials", help="Credentials for the gateway's authentication."),
        click.option("-p", "--param", "parameters", multiple=True, metavar="K=V", help="Parameter; may be repeated."),
    ):
        command = option(command)
    return command


def _address(
    ctx: click.Context, application: str, gateway_id: str, options: dict[str, Any], **gateway_options: str
) -> Address:
    settings = ctx.obj
    profile: Profile = load_profile(settings.profile, settings.configuration)
    if options["url"]:
        profile = replace(profile, api_gateway_url=options["url"])
    if options["tenant"]:
        profile = replace(profile, tenant=options["tenant"])
    if options["credentials"] and options["test_credentials"]:
        raise click.UsageError("give either --credentials or --test-credentials, not both")
    return Address(
        profile=profile,
        application=application,
        gateway=gateway_id,
        parameters=pairs(options["parameters"], "-p"),
        options=gateway_options,
        credentials=options["credentials"],
        test_credentials=options["test_credentials"],
        connect_timeout_seconds=options["connect_timeout"],
    )


@click.group()
def gateway() -> None:
    """Talk to the gateways of a running application."""


@gateway.command()
@click.argument("application")
@click.argument("gateway_id", metavar="GATEWAY")
@click.option("-v", "--value", help="Value of the record.")
@click.option("-k", "--key", help="Key of the record.")
@click.option("--header", "headers", multiple=True, metavar="K=V", help="Header; may be repeated.")
@_PROTOCOL
@_connection_options
@click.pass_context
def produce(
    ctx: click.Context,
    /,
    application: str,
    gateway_id: str,
    value: str | None,
    key: str | None,
    headers: tuple[str, ...],
    protocol: str,
    **options: Any,
) -> None:
    """Send one record and print the gateway's reply."""
    address = _address(ctx, application, gateway_id, options)
    message = {"key": key, "value": value, "headers": pairs(headers, "--header")}
    reply = asyncio.run(_produce(address, message, protocol))
    click.echo(orjson.dumps(reply))
    if reply.get("status") != "OK":
        ctx.exit(1)


async def _produce(address: Address, message: dict[str, Any], protocol: str) -> dict[str, Any]:
    async with client.session(address.connect_timeout_seconds) as session:
        if protocol == "http":
            async with session.post(address.http("produce"), json=message) as response:
                if response.status != 200:
                    raise client.ClientError(await client.problem_of(response))
                reply: dict[str, Any] = await response.json()
                return reply
        async with session.ws_connect(address.websocket("produce"), max_msg_size=client.MAX_FRAME_BYTES) as socket:
            await socket.send_str(orjson.dumps(message).decode())
            async for frame in client.frames(socket):
                return frame
    raise client.ClientError("the gateway closed the connection without a reply")


@gateway.command()
@click.argument("application")
@click.argument("gateway_id", metavar="GATEWAY")
@click.option(
    "--position", default="latest", show_default=True, help="`latest`, `earliest`, or an offset received before."
)
@click.option("-n", "--count", default=0, help="Stop after that many records; 0 goes on for ever.")
@_PROTOCOL
@_connection_options
@click.pass_context
def consume(
    ctx: click.Context,
    /,
    application: str,
    gateway_id: str,
    position: str,
    count: int,
    protocol: str,
    **options: Any,
) -> None:
    """Print records as they come, one JSON frame per line."""
    address = _address(ctx, application, gateway_id, options, position=position)
    with suppress(KeyboardInterrupt):  # the way to end it
        asyncio.run(_consume(address, count, protocol))


async def _consume(address: Address, count: int, protocol: str) -> None:
    url = address.http("consume") if protocol == "http" else address.websocket("consume")
    async with client.session(address.connect_timeout_seconds) as session:
        if protocol == "http":
            async with session.get(url, headers={"Accept": "text/event-stream"}) as response:
                if response.status != 200:
                    raise client.ClientError(await client.problem_of(response))
                click.echo(f"Connected to {_without_credentials(url)}", err=True)
                await _print_frames((frame async for _, frame in client.events(response)), count)
            return
        async with session.ws_connect(url, max_msg_size=client.MAX_FRAME_BYTES, heartbeat=30) as socket:
            click.echo(f"Connected to {_without_credentials(url)}", err=True)
            await _print_frames(client.frames(socket), count)


async def _print_frames(frames: Any, count: int) -> None:
    left = count if count > 0 else -1
    async for frame in frames:
        if "record" not in frame:
            continue
        click.echo(orjson.dumps(frame))
        left -= 1
        if not left:
            return


@gateway.command()
@click.argument("application")
@click.option("-g", "--gateway", "gateway_id", help="Chat gateway.")
@click.option("-cg", "--consume-gateway", help="Consume gateway of the answers (with -pg).")
@click.option("-pg", "--produce-gateway", help="Produce gateway of the questions (with -cg).")
@_PROTOCOL
@_connection_options
@click.pass_context
def chat(
    ctx: click.Context,
    /,
    application: str,
    gateway_id: str | None,
    consume_gateway: str | None,
    produce_gateway: str | None,
    protocol: str,
    **options: Any,
) -> None:
    """Ask questions and read the answers, streamed. Ctrl-D ends the conversation."""
    from langstream.cli import conversation

    if bool(gateway_id) == bool(consume_gateway or produce_gateway) or bool(consume_gateway) != bool(produce_gateway):
        raise click.UsageError("give -g GATEWAY, or both -cg and -pg")
    first = _address(ctx, application, gateway_id or str(produce_gateway), options)
    if gateway_id:
        asyncio.run(conversation.chat_gateway(first, protocol))
    else:
        second = replace(first, gateway=str(consume_gateway))
        asyncio.run(conversation.gateway_pair(first, second))


@gateway.command()
@click.argument("application")
@click.argument("gateway_id", metavar="GATEWAY")
@click.option("-v", "--value", help="Value of the request record (or body, for a service agent).")
@click.option("-k", "--key", help="Key of the request record.")
@click.option("--header", "headers", multiple=True, metavar="K=V", help="Header; may be repeated.")
@click.option("--method", default="POST", show_default=True, help="HTTP method, for a service agent.")
@click.option("--path", default="", help="Path below the gateway, for a service agent.")
@click.option("--stream", is_flag=True, help="Print the answer as it is streamed.")
@_connection_options
@click.pass_context
def service(
    ctx: click.Context,
    /,
    application: str,
    gateway_id: str,
    value: str | None,
    key: str | None,
    headers: tuple[str, ...],
    method: str,
    path: str,
    stream: bool,
    **options: Any,
) -> None:
    """Call a service gateway and print the answer."""
    address = _address(ctx, application, gateway_id, options)
    body = {"key": key, "value": value, "headers": pairs(headers, "--header")} if value is not None or key else None
    asyncio.run(_service(address, method, path, body, stream=stream))


async def _service(address: Address, method: str, path: str, body: Any, *, stream: bool) -> None:
    url = address.http("service")
    if path:
        base, question, query = url.partition("?")
        url = f"{base}/{path.lstrip('/')}{question}{query}"
    headers = {"Accept": "text/event-stream"} if stream else {}
    async with (
        client.session(address.connect_timeout_seconds) as session,
        session.request(method, url, json=body, headers=headers) as response,
    ):
        if response.status >= 400:
            raise client.ClientError(f"status {response.status}: {await client.problem_of(response)}")
        if response.content_type == "text/event-stream":
            async for _, frame in client.events(response):
                value = frame.get("record", {}).get("value")
                click.echo(value if isinstance(value, str) else orjson.dumps(frame), nl=False)
            click.echo()
            return
        click.echo(await response.text())


def _without_credentials(url: str) -> str:
    base, _, query = url.partition("?")
    kept = [item for item in query.split("&") if item and "credentials=" not in item]
    return f"{base}?{'&'.join(kept)}" if kept else base
