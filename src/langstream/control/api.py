"""Read-only REST interface to the application that runs in this process, in the shape of the control plane's."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from langstream.control.running import RunningApplication
from langstream.planner import rendering


def routes(running: RunningApplication) -> list[BaseRoute]:
    """`/api/applications/{tenant}`, `…/{id}` and `…/{id}/diagram`."""

    def known(request: Request) -> bool:
        wanted = (request.path_params["tenant"], request.path_params.get("application", running.plan.application_id))
        return wanted == (running.plan.tenant, running.plan.application_id)

    async def applications(request: Request) -> Response:
        return JSONResponse([description(running)] if known(request) else [])

    async def application(request: Request) -> Response:
        return JSONResponse(description(running)) if known(request) else _not_found(request)

    async def diagram(request: Request) -> Response:
        return PlainTextResponse(rendering.to_mermaid(running.plan)) if known(request) else _not_found(request)

    return [
        Route("/api/applications/{tenant}", applications),
        Route("/api/applications/{tenant}/{application}", application),
        Route("/api/applications/{tenant}/{application}/diagram", diagram),
    ]


def description(running: RunningApplication) -> dict[str, Any]:
    """The application as `langstream apps get` shows it: gateways, plan and the state of every node; no secrets."""
    application = running.plan.application
    return {
        "application-id": running.plan.application_id,
        "tenant": running.plan.tenant,
        "application": {
            "gateways": {"gateways": [dict(gateway.definition) for gateway in application.gateways]},
            "plan": rendering.to_document(running.plan),
        },
        "status": {
            "status": {"status": "DEPLOYED" if running.healthy() else "DEPLOYING"},
            "executors": [asdict(node) for node in running.deployment.status()],
        },
    }


def _not_found(request: Request) -> Response:
    name = request.path_params["application"]
    return JSONResponse(
        {"type": "about:blank", "title": "Not Found", "status": 404, "detail": f"application {name} not found"},
        status_code=404,
        media_type="application/problem+json",
    )
