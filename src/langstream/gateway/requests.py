"""HTTP produce gateways: one message per request."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from langstream.application.model import GatewayType
from langstream.gateway.gateway import Gateway
from langstream.gateway.limits import body_within
from langstream.gateway.message import message_of_body
from langstream.gateway.producing import outcome


class Requests:
    """The handler of HTTP produce gateways."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def produce(self, request: Request, send: Send) -> Response:
        """`POST /api/gateways/produce/…`: 200 once the broker has the message."""
        gateway = self._gateway
        call = await gateway.admit(request, GatewayType.PRODUCE)
        headers = gateway.headers(call, call.gateway.headers)
        call.check_topic(call.gateway.topic)
        body = await body_within(request, gateway.settings.max_body_bytes)
        message = message_of_body(request.headers.get("content-type"), body)
        async with gateway.writer(call, call.gateway.topic, headers) as writer:
            await writer.write([writer.record(message)])
        gateway.metrics.produced.inc()
        return Response(orjson.dumps(outcome(None)), media_type="application/json")
