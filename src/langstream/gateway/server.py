"""The API gateway as an ASGI application, and a server for it that lives inside a running event loop.

app = create_gateway(directory, GatewaySettings(), registry=registry, healthy=lambda: True)
server = serve(app, "127.0.0.1", 8091)
await server.start()
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Generator

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from langstream.errors import GatewayError, LangStreamError
from langstream.gateway.directory import Directory, Target
from langstream.gateway.endpoints import HttpEndpoint, SocketEndpoint
from langstream.gateway.gateway import Gateway
from langstream.gateway.limits import ConnectionLimit, OriginCheck
from langstream.gateway.management import management_routes
from langstream.gateway.metrics import GatewayMetrics
from langstream.gateway.problems import problem_response
from langstream.gateway.requests import Requests
from langstream.gateway.service import Services
from langstream.gateway.settings import GatewaySettings
from langstream.gateway.sockets import Sockets
from langstream.gateway.streams import Streams

__all__ = ["Directory", "GatewaySettings", "Server", "Target", "create_gateway", "serve"]

GATEWAY = "{tenant}/{application}/{gateway}"
SERVICE_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]


def create_gateway(
    directory: Directory,
    settings: GatewaySettings,
    *,
    registry: CollectorRegistry,
    healthy: Callable[[], bool],
) -> Starlette:
    """The application; what it opens is closed when its lifespan ends."""
    gateway = Gateway(directory, settings, GatewayMetrics(registry))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await gateway.close()

    app = Starlette(
        routes=[*management_routes(registry, healthy), *_gateway_routes(gateway)],
        middleware=[
            Middleware(CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"]),
            Middleware(OriginCheck, origins=settings.cors_origins),
            Middleware(ConnectionLimit, maximum=settings.max_connections),
        ],
        exception_handlers={HTTPException: _http_problem},
        lifespan=lifespan,
    )
    app.state.gateway = gateway
    return app


def _gateway_routes(gateway: Gateway) -> list[BaseRoute]:
    sockets, requests, streams = Sockets(gateway), Requests(gateway), Streams(gateway)
    service = HttpEndpoint(Services(gateway).call)
    return [
        WebSocketRoute(f"/v1/produce/{GATEWAY}", SocketEndpoint(sockets.produce)),
        WebSocketRoute(f"/v1/consume/{GATEWAY}", SocketEndpoint(sockets.consume)),
        WebSocketRoute(f"/v1/chat/{GATEWAY}", SocketEndpoint(sockets.chat)),
        Route(f"/api/gateways/produce/{GATEWAY}", HttpEndpoint(requests.produce), methods=["POST"]),
        Route(f"/api/gateways/consume/{GATEWAY}", HttpEndpoint(streams.consume), methods=["GET"]),
        Route(f"/api/gateways/chat/{GATEWAY}", HttpEndpoint(streams.chat), methods=["POST"]),
        Route(f"/api/gateways/service/{GATEWAY}", service, methods=SERVICE_METHODS),
        Route(f"/api/gateways/service/{GATEWAY}/{{path:path}}", service, methods=SERVICE_METHODS),
        WebSocketRoute("/{path:path}", SocketEndpoint(_no_such_socket)),
    ]


async def _no_such_socket(websocket: WebSocket) -> None:
    raise GatewayError(404, "no gateway here: sockets are at /v1/produce, /v1/consume and /v1/chat")


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem_response(error.status_code, error.detail, request.url.path, error.headers)


class Server:
    """A server in the running event loop. It installs no signal handlers and never ends the process."""

    def __init__(self, app: Starlette, host: str, port: int, settings: GatewaySettings) -> None:
        self._app = app
        self._host = host
        self._requested_port = port
        self._settings = settings
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._stack = contextlib.AsyncExitStack()
        self.port = port
        """The port listened on, also when 0 was asked for."""

    async def start(self) -> None:
        """Listen. Raises LangStreamError when the port cannot be had."""
        listener = _listen(self._host, self._requested_port)
        self.port = listener.getsockname()[1]
        await self._stack.enter_async_context(self._app.router.lifespan_context(self._app))
        self._server = _Server(self._configuration())
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="gateway server")
        ready = asyncio.ensure_future(self._server.ready.wait())
        await asyncio.wait([ready, self._task], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Let requests under way finish for a while, close sockets, release everything."""
        server, self._server = self._server, None
        if server is not None and self._task is not None:
            gateway = getattr(self._app.state, "gateway", None)
            if gateway is not None:
                gateway.stopping.set()
            server.should_exit = True
            await asyncio.wait([self._task])
        await self._stack.aclose()

    def _configuration(self) -> uvicorn.Config:
        settings = self._settings
        return uvicorn.Config(
            self._app,
            lifespan="off",  # begun and ended here, where a failure is an exception and not an exit
            loop="none",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=settings.max_message_bytes,
            ws_per_message_deflate=False,
            ws_ping_interval=settings.ping_interval_seconds,
            ws_ping_timeout=settings.ping_timeout_seconds,
            log_config=None,
            log_level="warning",  # its log of requests would have their credentials
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=65,
            timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
        )


async def serve(app: Starlette, host: str = "127.0.0.1", port: int = 8091) -> Server:
    """A started server for the application; `stop` it. Loopback unless told otherwise, port 0 for any free one.

    Raises LangStreamError when the port cannot be had.
    """
    gateway = getattr(app.state, "gateway", None)
    server = Server(app, host, port, gateway.settings if gateway is not None else GatewaySettings())
    await server.start()
    return server


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # signals belong to whoever runs the event loop


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise LangStreamError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another port, or stop what uses it."
        ) from error
    return listener
