"""`langstream gateway produce|consume|chat|service`: a client for the gateways of a running application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

import click

from langstream.cli.client import Address
from langstream.cli.groups import Group
from langstream.cli.main import Settings
from langstream.cli.options import pairs
from langstream.cli.profile import load_profile

Command = TypeVar("Command", bound=Callable[..., Any])

_PROTOCOL = click.option(
    "--protocol", type=click.Choice(["ws", "http"]), default="ws", show_default=True, help="WebSocket or HTTP."
)
_KEY = click.option("-k", "--key", help="Key of the record.")
_HEADERS = click.option("--header", "headers", multiple=True, metavar="K=V", help="Header; may be repeated.")
_EXAMPLES = """\b
Examples:
  langstream gateway produce my-app questions -v "What is a topic?" -p session-id=s1
  langstream gateway consume my-app answers --position earliest -n 10
  langstream gateway chat my-app -g chat
  langstream gateway service my-app ask -v "What is a topic?" --stream
"""


def _connection_options(command: Command) -> Command:
    for option in (
        click.option("--web-service-url", metavar="URL", help="Control plane to check with (default: the profile's)."),
        click.option(
            "--url",
            "--api-gateway-url",
            "url",
            metavar="URL",
            help="Gateway (default: the profile's, ws://localhost:8091).",
        ),
        click.option("--tenant", help="Tenant (default: the profile's)."),
        click.option("--connect-timeout", type=click.FloatRange(min=0), metavar="SEC", help="Time to connect in (10)."),
        click.option("-tc", "--test-credentials", metavar="TEXT", help="Credentials for test mode."),
        click.option("-c", "--credentials", metavar="TEXT", help="Credentials for the gateway's authentication."),
        click.option("-p", "--param", "parameters", multiple=True, metavar="K=V", help="Parameter; may be repeated."),
    ):
        command = option(command)
    return command


def _address(
    settings: Settings, application: str, gateway_id: str, options: dict[str, Any], **gateway_options: str
) -> Address:
    profile = load_profile(settings.profile, settings.configuration)
    if options["url"]:  # another gateway than the profile's: its control plane knows nothing of it
        profile = replace(profile, api_gateway_url=options["url"], web_service_url=None)
    if options["web_service_url"]:
        profile = replace(profile, web_service_url=options["web_service_url"])
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


@click.group(cls=Group, epilog=_EXAMPLES)
def gateway() -> None:
    """Talk to the gateways of a running application."""


@gateway.command()
@click.argument("application")
@click.argument("gateway_id", metavar="GATEWAY")
@click.option("-v", "--value", help="Value of the record; `-` sends every line of standard input.")
@_KEY
@_HEADERS
@_PROTOCOL
@_connection_options
@click.pass_obj
def produce(
    settings: Settings,
    /,
    application: str,
    gateway_id: str,
    value: str | None,
    key: str | None,
    headers: tuple[str, ...],
    protocol: str,
    **options: Any,
) -> None:
    """Send a record and print the gateway's reply.

    The exit status is 0 if the record was written.
    """
    from langstream.cli import producing

    address = _address(settings, application, gateway_id, options)
    _require_content(value, key)
    messages = producing.messages(value, key, pairs(headers, "--header"))
    asyncio.run(producing.produce(address, messages, protocol))


@gateway.command()
@click.argument("application")
@click.argument("gateway_id", metavar="GATEWAY")
@click.option(
    "--position", default="latest", show_default=True, help="`latest`, `earliest`, or an offset received before."
)
@click.option("-n", "--count", default=0, help="Stop after that many records; 0: no limit.", show_default=True)
@_PROTOCOL
@_connection_options
@click.pass_obj
def consume(
    settings: Settings,
    /,
    application: str,
    gateway_id: str,
    position: str,
    count: int,
    protocol: str,
    **options: Any,
) -> None:
    """Print records as they come, one JSON frame per line, until Ctrl-C.

    The `offset` of a frame, given as --position, continues right after it.
    """
    from langstream.cli import consuming

    address = _address(settings, application, gateway_id, options, position=position)
    with suppress(KeyboardInterrupt):  # the way to end it
        asyncio.run(consuming.consume(address, count, protocol))


@gateway.command()
@click.argument("application")
@click.option("-g", "--gateway", "gateway_id", metavar="GATEWAY", help="Chat gateway.")
@click.option("-cg", "--consume-gateway", metavar="GATEWAY", help="Consume gateway of the answers (with -pg).")
@click.option("-pg", "--produce-gateway", metavar="GATEWAY", help="Produce gateway of the questions (with -cg).")
@_PROTOCOL
@_connection_options
@click.pass_obj
def chat(
    settings: Settings,
    /,
    application: str,
    gateway_id: str | None,
    consume_gateway: str | None,
    produce_gateway: str | None,
    protocol: str,
    **options: Any,
) -> None:
    """Ask questions and read the answers, streamed as they are made.

    Give a chat gateway with -g, or a pair with -pg and -cg. Parameters that tie answers to questions (a session id)
    are made up where -p does not give them. Ctrl-D ends the conversation; questions may also be piped in, one per line.
    """
    from langstream.cli import conversation

    if bool(gateway_id) == bool(consume_gateway or produce_gateway) or bool(consume_gateway) != bool(produce_gateway):
        raise click.UsageError("give -g GATEWAY, or both -pg GATEWAY and -cg GATEWAY")
    address = _address(settings, application, str(gateway_id or produce_gateway), options)
    try:
        if gateway_id:
            asyncio.run(conversation.through_chat_gateway(address, protocol))
        else:
            answers = replace(address, gateway=str(consume_gateway))
            asyncio.run(conversation.through_pair(address, answers, protocol))
    except KeyboardInterrupt:  # as good an end as Ctrl-D
        click.echo(err=True)


@gateway.command()
@click.argument("application")
@click.argument("gateway_id", metavar="GATEWAY")
@click.option("-v", "--value", help="Value of the request record; for a service agent, the body.")
@_KEY
@_HEADERS
@click.option("--method", help="HTTP method for a service agent (default: POST with a body, GET without).")
@click.option("--path", default="", help="Path below the gateway, for a service agent.")
@click.option("--stream", is_flag=True, help="Print the text of the answer while it is made.")
@_connection_options
@click.pass_obj
def service(
    settings: Settings,
    /,
    application: str,
    gateway_id: str,
    value: str | None,
    key: str | None,
    headers: tuple[str, ...],
    method: str | None,
    path: str,
    stream: bool,
    **options: Any,
) -> None:
    """Call a service gateway and print the answer.

    A gateway between topics takes a record (-v, -k, --header) and answers with a record. One in front of a service
    agent takes any HTTP request: --method, --path, -v as the body, --header.
    """
    from langstream.cli import services

    address = _address(settings, application, gateway_id, options)
    call = services.Call(value, key, pairs(headers, "--header"), method, path, stream)
    asyncio.run(services.call(address, call))


def _require_content(value: str | None, key: str | None) -> None:
    if value is None and key is None:
        raise click.UsageError("give -v VALUE, -k KEY, or both")
