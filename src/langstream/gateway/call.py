"""One admitted client at one gateway: the application, the gateway, what was asked, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from langstream.application.model import Gateway, GatewayType
from langstream.errors import GatewayError
from langstream.gateway.directory import Directory, Target
from langstream.gateway.headers import Principal
from langstream.gateway.query import Query
from langstream.topics.contract import Position, position_from_text


@dataclass(frozen=True, slots=True)
class Call:
    """Everything known about the request once it is admitted. `request_headers` has names in small letters."""

    target: Target
    gateway: Gateway
    query: Query
    principal: Principal
    request_headers: Mapping[str, str]

    def position(self, resume: str | None = None) -> Position:
        """Where to read from: `resume` (a `Last-Event-ID`) before the option `position`. Raises InvalidPosition."""
        text = resume or self.query.options.get("position") or "latest"
        return position_from_text(text.strip().replace(" ", "+"))  # a `+` of base64 arrives as a blank if unescaped

    def check_topic(self, topic: str | None) -> str:
        """The topic, if clients may reach it. Raises GatewayError."""
        if not topic:
            raise GatewayError(400, f"gateway '{self.gateway.id}' names no topic")
        if topic not in self.target.topics:
            raise GatewayError(400, f"topic '{topic}' is not declared in the application")
        return topic


def find(directory: Directory, tenant: str, application_id: str) -> Target:
    """The application. Raises GatewayError 404."""
    target = directory.find(tenant, application_id)
    if target is None:
        raise GatewayError(404, f"application {application_id} not found")
    return target


def gateway_of(target: Target, gateway_id: str, type: GatewayType) -> Gateway:
    """The gateway of that id and type. Raises GatewayError 404."""
    gateways = target.application.gateways
    for gateway in gateways:
        if gateway.id == gateway_id and gateway.type is type:
            return gateway
    if not gateways:
        raise GatewayError(404, "the application has no gateways")
    others = [str(gateway.type) for gateway in gateways if gateway.id == gateway_id]
    if others:
        raise GatewayError(404, f"gateway {gateway_id} is of type {' and '.join(others)}, not {type}")
    raise GatewayError(404, f"gateway {gateway_id} of type {type} not found")
