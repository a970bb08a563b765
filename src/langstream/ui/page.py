"""Routes of the web page. The page asks `/api/page` which application it shows and where its gateway listens."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STATIC = Path(__file__).parent / "static"

_HEADERS = (
    (b"content-security-policy", b"default-src 'self'; connect-src *; frame-ancestors 'none'; base-uri 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)


class _Guarded:
    """Adds the security headers to every static answer: no script but the page's own, no framing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        await self._app(scope, receive, guarded)


def routes(tenant: str, application_id: str, gateway_port: int) -> list[BaseRoute]:
    """`/` (the page), `/static/…` and `/api/page`."""

    async def page(request: Request) -> Response:
        return FileResponse(_STATIC / "index.html", headers={k.decode(): v.decode() for k, v in _HEADERS})

    async def facts(request: Request) -> Response:
        return JSONResponse({"tenant": tenant, "application": application_id, "gatewayPort": gateway_port})

    return [
        Route("/", page),
        Route("/api/page", facts),
        Mount("/static", _Guarded(StaticFiles(directory=_STATIC))),
    ]
