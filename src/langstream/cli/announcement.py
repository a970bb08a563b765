"""What `langstream run` says when it is ready: where everything is, and what to try."""

from __future__ import annotations

from langstream.application.model import Gateway, GatewayType
from langstream.planner.plan import ExecutionPlan

_GATEWAY_PORT, _CONTROL_PORT = 8091, 8090


def announcement(
    plan: ExecutionPlan, seconds: float, *, host: str, gateway_port: int, control_port: int, ui: bool
) -> str:
    """The text for standard output."""
    where = f"{reachable(host)}:{gateway_port}"
    lines = [f"{plan.application_id} is running (ready in {seconds:.1f} s). Ctrl-C stops it.", ""]
    if ui:
        lines.append(f"  page      http://{reachable(host)}:{control_port}/")
    lines.append(f"  health    http://{where}/management/health")
    lines.append(f"  metrics   http://{where}/management/prometheus")
    usual = (gateway_port, control_port) == (_GATEWAY_PORT, _CONTROL_PORT)
    options = "" if usual else f" --url ws://{where} --web-service-url http://{reachable(host)}:{control_port}"
    if plan.tenant != "default":
        options += f" --tenant {plan.tenant}"
    for gateway in plan.application.gateways:
        lines += _gateway_lines(plan, gateway, where, options)
    return "\n".join(lines)


def reachable(host: str) -> str:
    """A host as a client on this machine writes it."""
    if host in ("0.0.0.0", ""):  # noqa: S104 — compared, not bound
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host


def _gateway_lines(plan: ExecutionPlan, gateway: Gateway, where: str, options: str) -> list[str]:
    kind = gateway.type.value
    path = f"{kind}/{plan.tenant}/{plan.application_id}/{gateway.id}"
    query = "?" + "&".join(f"param:{name}=…" for name in gateway.parameters) if gateway.parameters else ""
    if gateway.type is GatewayType.SERVICE:
        return [f"  {kind:<8}  http://{where}/api/gateways/{path}{query}"]
    lines = [f"  {kind:<8}  ws://{where}/v1/{path}{query}"]
    if gateway.type is GatewayType.CHAT:
        lines.append(f"            langstream gateway chat {plan.application_id} -g {gateway.id}{options}")
    return lines
