"""The client side of the gateway protocol: addresses, sockets, frames and server-sent events.

Every failure becomes a ClientError with the gateway's own reason where it gave one. Credentials are in no message.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote, urlencode, urlsplit

import orjson

from langstream.cli.failure import Refusal
from langstream.cli.profile import Profile

if TYPE_CHECKING:
    import aiohttp
    from websockets.asyncio.client import ClientConnection

CONNECT_SECONDS: Final = 10.0
MAX_FRAME_BYTES: Final = 128 * 1024 * 1024
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_STOPPED: Final = (1000, 1001, 1012)
"""Close codes of a gateway that ends, or starts again."""


class ClientError(Refusal):
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

    @property
    def tenant(self) -> str:
        """The tenant in the gateway's address."""
        return self.profile.tenant or "default"

    @property
    def connect_seconds(self) -> float:
        """How long connecting may take; 0 and None stand for the usual time."""
        return self.connect_timeout_seconds or CONNECT_SECONDS

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
        return "/".join(quote(part, safe="") for part in (kind, self.tenant, self.application, self.gateway))

    def websocket(self, kind: str) -> str:
        """The WebSocket URL for `produce`, `consume` or `chat`."""
        return f"{self.profile.gateway_url('ws')}/v1/{self.path(kind)}{self.query()}"

    def http(self, kind: str, below: str = "") -> str:
        """The HTTP URL, with a path below the gateway where a service agent has one."""
        base = f"{self.profile.gateway_url('http')}/api/gateways/{self.path(kind)}"
        return f"{base}/{quote(below.lstrip('/'), safe='/%')}{self.query()}" if below else f"{base}{self.query()}"


def without_credentials(url: str) -> str:
    """The URL as it may be shown."""
    base, _, query = url.partition("?")
    kept = [item for item in query.split("&") if item and not item.startswith(("credentials=", "test-credentials="))]
    return f"{base}?{'&'.join(kept)}" if kept else base


@asynccontextmanager
async def connected(url: str, connect_seconds: float) -> AsyncIterator[ClientConnection]:
    """An open WebSocket. Raises ClientError when it is refused, cannot be opened, or breaks."""
    from websockets.exceptions import ConnectionClosed

    socket = await _opened(url, connect_seconds)
    try:
        yield socket
    except ConnectionClosed as closed:
        raise ClientError(_closing(closed)) from None
    finally:
        await socket.close()


async def _opened(url: str, connect_seconds: float) -> ClientConnection:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

    proxy: Literal[True] | None = None if _is_loopback(url) else True  # those of the environment
    try:
        return await connect(url, open_timeout=connect_seconds, max_size=MAX_FRAME_BYTES, compression=None, proxy=proxy)
    except InvalidURI:
        raise ClientError(f"this is no address of a gateway: {_origin(url)}; expected ws://HOST:PORT") from None
    except InvalidStatus as refused:
        response = refused.response
        raise ClientError(_refusal(response.status_code, (response.body or b"").decode("utf-8", "replace"))) from None
    except InvalidHandshake as error:
        raise ClientError(f"{_origin(url)} does not answer like a gateway: {error}") from None
    except (OSError, TimeoutError) as error:
        raise ClientError(_unreachable(url, error, connect_seconds)) from None


async def frames(socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    """The JSON frames of a socket until it closes. A close for a reason is raised as ConnectionClosed."""
    from websockets.exceptions import ConnectionClosedOK

    try:
        while True:
            yield orjson.loads(await socket.recv())
    except ConnectionClosedOK:
        return


@asynccontextmanager
async def session(connect_seconds: float = CONNECT_SECONDS) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP session whose failures become ClientErrors."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, connect=connect_seconds)
    async with aiohttp.ClientSession(timeout=timeout) as opened:
        try:
            yield opened
        except aiohttp.ClientConnectorError as error:
            raise ClientError(
                _unreachable(f"http://{error.host}:{error.port}", error.os_error, connect_seconds)
            ) from None
        except TimeoutError:
            raise ClientError(f"no connection within {connect_seconds:g} s. Is the application running?") from None
        except aiohttp.InvalidURL as error:
            raise ClientError(f"this is no address: {without_credentials(str(error.url))}") from None
        except aiohttp.ClientError as error:
            raise ClientError(f"the connection to the gateway broke: {error}") from None


async def require(response: aiohttp.ClientResponse) -> None:
    """Raises ClientError with the gateway's reason unless the answer is a success."""
    if response.status >= 400:
        raise ClientError(_refusal(response.status, await response.text(errors="replace")))


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The JSON data of server-sent events. An `error` event is raised as ClientError."""
    name = "message"
    data: list[str] = []
    async for raw in _lines(response):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif not line and data:
            content = orjson.loads("\n".join(data))
            if name == "error":
                raise ClientError(f"the gateway gave up: {content.get('detail') or content}")
            yield content
            name, data = "message", []


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines of any length: the library's own reading by lines has a limit that a record may exceed."""
    rest = b""
    async for chunk in response.content.iter_any():
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            yield line
    if rest:
        yield rest


def _refusal(status: int, body: str) -> str:
    try:
        document = orjson.loads(body)
        reason = document.get("detail") or document.get("reason")
    except (orjson.JSONDecodeError, AttributeError):
        reason = body.strip()[:500]
    return f"the gateway refused ({status}): {reason or 'without a reason'}"


def _closing(closed: Any) -> str:
    received = closed.rcvd
    if received is None:
        return "the connection to the gateway broke"
    if received.code in _STOPPED:
        return "the gateway closed the connection: the application was stopped"
    return f"the gateway closed the connection ({received.code}): {received.reason or 'without a reason'}"


def _unreachable(url: str, error: BaseException | None, connect_seconds: float) -> str:
    if isinstance(error, TimeoutError):
        reason = f"no answer within {connect_seconds:g} s"
    else:
        reason = (getattr(error, "strerror", None) or str(error) or "no connection").lower()
        reason = "connection refused" if "connect call failed" in reason else reason
    return (
        f"the gateway at {_origin(url)} cannot be reached: {reason}. Is the application running? "
        "--url gives another address"
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK
