"""Read-only REST interface to the application that runs in this process, in the shape of the control plane's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from langstream.configuration.model import marked_options
from langstream.control.running import RunningApplication
from langstream.planner import rendering
from langstream.planner.plan import ExecutionPlan
from langstream.runtime.supervision import MemberStatus, NodeStatus


def routes(running: RunningApplication) -> list[BaseRoute]:
    """`/api/applications/{tenant}`, `…/{id}` and `…/{id}/diagram`."""

    def known(request: Request) -> bool:
        wanted = (request.path_params["tenant"], request.path_params.get("application", running.plan.application_id))
        return wanted == (running.plan.tenant, running.plan.application_id)

    async def applications(request: Request) -> Response:
        return _json([description(running)] if known(request) else [])

    async def application(request: Request) -> Response:
        return _json(description(running)) if known(request) else _not_found(request)

    async def diagram(request: Request) -> Response:
        return PlainTextResponse(rendering.to_mermaid(running.plan)) if known(request) else _not_found(request)

    return [
        Route("/api/applications/{tenant}", applications),
        Route("/api/applications/{tenant}/{application}", application),
        Route("/api/applications/{tenant}/{application}/diagram", diagram),
    ]


def description(running: RunningApplication) -> dict[str, Any]:
    """The application: gateways, plan, diagram links and the state of every node; no secrets."""
    plan = running.plan
    return {
        "application-id": plan.application_id,
        "tenant": plan.tenant,
        "application": {
            "gateways": {"gateways": [dict(gateway.definition) for gateway in plan.application.gateways]},
            "plan": {**rendering.to_document(plan), "links": list(_links(plan))},
        },
        "status": {
            "status": {"status": "DEPLOYED" if running.healthy() else "DEPLOYING"},
            "executors": [executor(node) for node in running.deployment.status()],
        },
    }


def executor(node: NodeStatus) -> dict[str, Any]:
    """One node, in the shape of the control plane's status; with it the sums that a table of nodes shows."""
    reason = None if node.state == "running" else node.last_error
    return {
        "id": node.id,
        "status": {"status": _EXECUTOR[node.state], "reason": reason},
        "state": node.state,
        "records-in": node.records_in,
        "records-out": node.records_out,
        "errors": node.errors,
        "retries": node.retries,
        "dead-letters": node.dead_letters,
        "cancelled": node.cancelled,
        "lag": node.lag,
        "restarts": node.restarts,
        "last-error": node.last_error,
        "replicas": [
            {
                "id": f"{node.id}-{index}",
                "status": _REPLICA[node.state],
                "reason": reason,
                "agents": [_member(member) for member in node.members] if index == 0 else [],
            }
            for index in range(node.replicas)
        ],
    }


_EXECUTOR = {
    "running": "DEPLOYED",
    "starting": "DEPLOYING",
    "restarting": "ERROR",
    "failed": "ERROR",
    "stopped": "CREATED",
}
_REPLICA = {
    "running": "RUNNING",
    "starting": "INITIALIZING",
    "restarting": "ERROR",
    "failed": "ERROR",
    "stopped": "INITIALIZING",
}


def _member(member: MemberStatus) -> dict[str, Any]:
    return {
        "agent-id": member.id,
        "agent-type": member.type,
        "component-type": member.component_type,
        "metrics": {"total-in": member.records_in, "total-out": member.records_out, "errors": member.errors},
        "info": dict(member.info),
    }


def _links(plan: ExecutionPlan) -> Iterator[dict[str, str]]:
    """What agents write to besides their output: topics named in their options (streams, routes)."""
    known = {topic.name for topic in plan.topics}
    for node in plan.nodes:
        named = {
            text
            for agent in node.agents
            for _, kind, text in marked_options(agent.configuration)
            if kind.name == "topic" and text in known and text != node.output
        }
        for topic in sorted(named):
            yield {"agent": node.id, "topic": topic}


def _json(content: Any, status: int = 200) -> Response:
    # agents may put anything into their info
    return Response(
        orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS), status, media_type="application/json"
    )


def _not_found(request: Request) -> Response:
    name = request.path_params["application"]
    return JSONResponse(
        {"type": "about:blank", "title": "Not Found", "status": 404, "detail": f"application {name} not found"},
        status_code=404,
        media_type="application/problem+json",
    )
