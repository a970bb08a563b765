"""Health, facts and metrics of the gateway, under `/management`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route


def management_routes(registry: CollectorRegistry, healthy: Callable[[], bool]) -> list[BaseRoute]:
    """The routes."""

    async def health(request: Request) -> Response:
        up = healthy()
        return _json({"status": "UP" if up else "DOWN"}, 200 if up else 503)

    async def info(request: Request) -> Response:
        return _json({"application": "langstream-gateway", "version": version("langstream")})

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [
        Route("/management/health", health),
        Route("/management/health/liveness", health),
        Route("/management/health/readiness", health),
        Route("/management/info", info),
        Route("/management/prometheus", metrics),
        Route("/metrics", metrics),
    ]


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
