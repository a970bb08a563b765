"""Refusals as RFC 9457 problem documents (`application/problem+json`), for HTTP requests and WebSocket handshakes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from langstream.errors import BrokerUnavailable, GatewayError, InvalidPosition, LangStreamError, ServiceError

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str, instance: str | None = None) -> dict[str, Any]:
    """The members of a problem document. `instance` is the path of the request, without its query."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
    }


def problem_response(
    status: int, detail: str, instance: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The response that carries the document; 401 says how to authenticate."""
    extra = dict(headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        extra.setdefault("WWW-Authenticate", "Bearer")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra.setdefault("Retry-After", "1")
    body = orjson.dumps(problem(status, detail, instance))
    return Response(body, status, extra, media_type=MEDIA_TYPE)


def refusal(error: Exception) -> GatewayError | None:
    """The refusal that an expected failure amounts to; None for a failure that nobody foresaw."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, InvalidPosition):
        return GatewayError(400, str(error))
    if isinstance(error, BrokerUnavailable):
        return GatewayError(503, f"the streaming cluster cannot be reached: {error}")
    if isinstance(error, ServiceError):
        return GatewayError(503, str(error))
    if isinstance(error, LangStreamError):
        return GatewayError(500, str(error))
    return None
