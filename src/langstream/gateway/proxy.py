"""Service gateways in front of a service agent: the request is passed on, its body and the answer streamed.

What belongs to the gateway stays here: credentials, parameters, options, and the `Authorization` header where the
gateway authenticates by it. The gateway's headers are added, and a client cannot set them itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from langstream.application.model import ServiceOptions
from langstream.errors import GatewayError
from langstream.gateway.call import Call
from langstream.gateway.endpoints import first_of
from langstream.gateway.gateway import Gateway
from langstream.gateway.query import forwarded_query

if TYPE_CHECKING:
    import aiohttp
    from multidict import CIMultiDict

HOP_BY_HOP: Final = frozenset(
    {
        "connection", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
CONNECT_SECONDS: Final = 10.0
CHUNK_BYTES: Final = 1 << 16
_SEGMENTS_BEFORE_PATH: Final = 7
"""`/api/gateways/service/TENANT/APPLICATION/GATEWAY` and then the agent's own path."""


async def forward(
    gateway: Gateway, call: Call, service: ServiceOptions, request: Request, send: Send
) -> Response | None:
    """Pass the request on. Raises GatewayError 502 or 504 while nothing was answered yet."""
    url = agent_address(call, service) + agent_path(request)
    exchange = _Exchange(gateway, service, request, send)
    headers = forwarded_headers(request, gateway.headers(call, service.headers), call.gateway.authentication is None)
    await first_of(exchange.run(url, headers), exchange.client_left())
    return None


class _Exchange:
    """One request to the agent, and its answer."""

    def __init__(self, gateway: Gateway, service: ServiceOptions, request: Request, send: Send) -> None:
        self._gateway = gateway
        self._service = service
        self._request = request
        self._send = send
        self._body_read = asyncio.Event()
        self._answering = False

    async def run(self, url: str, headers: CIMultiDict[str]) -> None:
        import aiohttp

        try:
            await self._exchange(url, headers)
        except TimeoutError:
            seconds = self._service.timeout_seconds
            raise GatewayError(504, f"the service agent did not answer within {seconds:g} seconds") from None
        except aiohttp.ClientError as error:
            raise GatewayError(502, f"the service agent cannot be reached: {type(error).__name__}") from error

    async def client_left(self) -> None:
        """Returns when the client is gone; while the body is read, reading notices it."""
        await self._body_read.wait()
        while (await self._request.receive())["type"] != "http.disconnect":
            pass

    async def _exchange(self, url: str, headers: CIMultiDict[str]) -> None:
        import aiohttp
        from yarl import URL

        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=self._service.timeout_seconds
        )
        has_body = "content-length" in self._request.headers or "transfer-encoding" in self._request.headers
        if not has_body:
            self._body_read.set()
        async with asyncio.timeout(self._service.timeout_seconds):
            response = await self._gateway.outbound.session().request(
                self._request.method,
                URL(url, encoded=True),
                headers=headers,
                data=self._body() if has_body else None,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                allow_redirects=False,
                timeout=timeout,
            )
        try:
            await self._answer(response)
        finally:
            response.close()

    async def _body(self) -> AsyncIterator[bytes]:
        async for chunk in self._request.stream():
            if chunk:
                yield chunk
        self._body_read.set()

    async def _answer(self, response: aiohttp.ClientResponse) -> None:
        self._body_read.set()  # an agent may answer without having read everything
        headers = answered_headers(response.raw_headers)
        await self._send({"type": "http.response.start", "status": response.status, "headers": headers})
        async for chunk in response.content.iter_any():
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def agent_address(call: Call, service: ServiceOptions) -> str:
    """Where the agent listens. Raises GatewayError if there is no such agent, or it does not run."""
    agent_id = service.agent_id
    assert agent_id is not None
    address = call.target.service_address(agent_id)
    if address is not None:
        return address.rstrip("/")
    modules = call.target.application.modules.values()
    agents = [agent for module in modules for pipeline in module.pipelines.values() for agent in pipeline.agents]
    if not any(agent.id == agent_id for agent in agents):
        raise GatewayError(400, f"the application has no agent '{agent_id}'")
    raise GatewayError(503, f"the agent '{agent_id}' is no service, or is not running now")


def agent_path(request: Request) -> str:
    """Path and query for the agent, percent-encoded as the client wrote them."""
    raw = request.scope["raw_path"].decode("ascii", "replace").partition("?")[0]
    rest = raw.split("/", _SEGMENTS_BEFORE_PATH)[_SEGMENTS_BEFORE_PATH:]
    query = forwarded_query(request.scope["query_string"].decode("ascii", "replace"))
    return "/" + (rest[0] if rest else "") + (f"?{query}" if query else "")


def forwarded_headers(request: Request, own: Iterable[tuple[str, str]], pass_authorization: bool) -> CIMultiDict[str]:
    """The client's headers as the agent gets them: several of one name stay several."""
    from multidict import CIMultiDict

    own = list(own)
    dropped = HOP_BY_HOP | _named_by_connection(request.headers.getlist("connection"))
    dropped |= {name.lower() for name, _ in own}
    if not pass_authorization:
        dropped |= {"authorization"}
    items = [(name, value) for name, value in request.headers.items() if name not in dropped]
    return CIMultiDict([*items, *own])


def answered_headers(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The agent's headers as the client gets them."""
    pairs = list(raw)
    dropped = HOP_BY_HOP | _named_by_connection(
        value.decode("latin-1") for name, value in pairs if name.lower() == b"connection"
    )
    return [(name.lower(), value) for name, value in pairs if name.decode("latin-1").lower() not in dropped]


def _named_by_connection(values: Iterable[str]) -> frozenset[str]:
    return frozenset(name.strip().lower() for value in values for name in value.split(","))
