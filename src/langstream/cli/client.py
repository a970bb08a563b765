"""The client side of the gateway protocol: addresses, requests, frames and server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import orjson

from langstream.cli.profile import Profile
from langstream.errors import LangStreamError

MAX_FRAME_BYTES = 128 * 1024 * 1024


class ClientError(LangStreamError):
    """The gateway refused, or cannot be reached."""


@dataclass(frozen=True, slots=True)
class Address:
    """One gateway of one application, with the client's parameters and credentials."""

    profile: Profile
    application: str
    gateway: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    credentials: str | None = field(default=None, repr=False)
    test_credentials: str | None = field(default=None, repr=False)
    connect_timeout_seconds: float | None = None

    def query(self) -> str:
        """The query string; names and values are encoded."""
        items = [(f"param:{name}", value) for name, value in self.parameters.items()]
        items += [(f"option:{name}", value) for name, value in self.options.items()]
        if self.credentials:
            items.append(("credentials", self.credentials))
        if self.test_credentials:
            items.append(("test-credentials", self.test_credentials))
        return f"?{urlencode(items, safe=':')}" if items else ""

    def path(self, kind: str) -> str:
        """`kind/tenant/application/gateway`, encoded."""
        return "/".join(quote(part, safe="") for part in (kind, self.profile.tenant, self.application, self.gateway))

    def websocket(self, kind: str) -> str:
        """The WebSocket URL for `produce`, `consume` or `chat`."""
        return f"{self.profile.gateway_url('ws')}/v1/{self.path(kind)}{self.query()}"

    def http(self, kind: str) -> str:
        """The HTTP URL."""
        return f"{self.profile.gateway_url('http')}/api/gateways/{self.path(kind)}{self.query()}"


@asynccontextmanager
async def session(connect_timeout_seconds: float | None) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP session whose failures to connect become messages."""
    timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_seconds or 10)
    async with aiohttp.ClientSession(timeout=timeout) as opened:
        try:
            yield opened
        except aiohttp.WSServerHandshakeError as error:
            raise ClientError(
                f"the gateway refused the connection with status {error.status}: {error.message}"
            ) from None
        except (TimeoutError, aiohttp.ClientConnectorError) as error:
            raise ClientError(f"the gateway cannot be reached: {error}. Is the application running?") from None


async def application_description(address: Address) -> dict[str, Any] | None:
    """What the control plane says of the application; None where it does not answer."""
    url = f"{address.profile.web_service_url}/api/applications/{quote(address.profile.tenant)}/{quote(address.application)}"
    headers = {"Authorization": f"Bearer {address.profile.token}"} if address.profile.token else {}
    timeout = aiohttp.ClientTimeout(total=3)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as opened, opened.get(url, headers=headers) as response:
            return await response.json(content_type=None) if response.status == 200 else None
    except (TimeoutError, aiohttp.ClientError, ValueError):
        return None


def gateway_definition(description: dict[str, Any] | None, kind: str, gateway: str) -> dict[str, Any] | None:
    """The declaration of a gateway in a description. Raises ClientError when the application has no such gateway."""
    if description is None:
        return None
    gateways = (description.get("application", {}).get("gateways") or {}).get("gateways") or []
    for each in gateways:
        if each.get("id") == gateway and each.get("type") == kind:
            return dict(each)
    known = ", ".join(sorted(str(each.get("id")) for each in gateways if each.get("type") == kind)) or "none"
    raise ClientError(f"the application has no {kind} gateway {gateway!r}; {kind} gateways: {known}")


async def problem_of(response: aiohttp.ClientResponse) -> str:
    """The reason in an error answer."""
    text = await response.text()
    try:
        document = orjson.loads(text)
        return str(document.get("detail") or document.get("reason") or text)
    except (orjson.JSONDecodeError, AttributeError):
        return text or str(response.reason)


async def frames(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[dict[str, Any]]:
    """The JSON frames of a socket until it closes. Raises ClientError if the gateway closed it for a reason."""
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            yield orjson.loads(message.data)
        elif message.type is aiohttp.WSMsgType.ERROR:
            raise ClientError(f"the connection broke: {socket.exception()}")
    if socket.close_code not in (None, 1000, 1001, 1005):
        raise ClientError(f"the gateway closed the connection ({socket.close_code})")


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """(event name, JSON data) of a server-sent event stream."""
    name = "message"
    data: list[str] = []
    async for raw in response.content:
        line = raw.decode().rstrip("\r\n")
        if not line:
            if data:
                yield name, orjson.loads("\n".join(data))
            name, data = "message", []
        elif line.startswith("data:"):
            data.append(line[5:].lstrip(" "))
        elif line.startswith("event:"):
            name = line[6:].strip()
