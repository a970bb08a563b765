"""Service gateways: a request becomes a record, the first record that carries its id is the answer.

All calls of a topic share its one reader; a call costs an entry in the filter index while it waits. Whatever ends a
call (answer, timeout, a client that left) releases everything it held.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from langstream.application.model import GatewayType, ServiceOptions
from langstream.errors import GatewayError, TopicError
from langstream.gateway.call import Call
from langstream.gateway.endpoints import disconnected, first_of
from langstream.gateway.filters import Filter
from langstream.gateway.gateway import Gateway
from langstream.gateway.headers import Resolved
from langstream.gateway.limits import body_within
from langstream.gateway.message import Message, message_of_body
from langstream.gateway.presence import Attendance
from langstream.gateway.problems import problem_response
from langstream.gateway.proxy import forward
from langstream.gateway.streams import MEDIA_TYPE, answer_events, reading_failure, send_stream
from langstream.gateway.subscription import Subscription

REQUEST_ID: Final = "langstream-service-request-id"


@dataclass(frozen=True, slots=True)
class _Question:
    """One request: the message, the gateway's headers for this client, and the header of the request alone."""

    message: Message
    headers: Resolved
    request_id: tuple[str, str]

    @property
    def filter(self) -> Filter:
        """What its answer carries."""
        return Filter([*self.headers, self.request_id])


class Services:
    """The handler of service gateways."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def call(self, request: Request, send: Send) -> Response | None:
        """`/api/gateways/service/…`: over topics, or proxied to a service agent."""
        gateway = self._gateway
        call = await gateway.admit(request, GatewayType.SERVICE)
        service = call.gateway.service
        if service is None:
            raise GatewayError(400, f"gateway '{call.gateway.id}' has no service-options")
        if service.agent_id is not None:
            return await forward(gateway, call, service, request, send)
        if request.method != "POST":
            return problem_response(
                405, "Only POST requests are supported by this gateway", request.url.path, {"Allow": "POST"}
            )
        body = await body_within(request, gateway.settings.max_body_bytes)
        message = message_of_body(request.headers.get("content-type"), body)
        question = _Question(message, gateway.headers(call, service.headers), (REQUEST_ID, str(uuid4())))
        async with gateway.presence.attend(call, question.filter) as attendance:
            if MEDIA_TYPE in request.headers.get("accept", ""):
                return await self._stream(call, service, question, attendance, request, send)
            return await first_of(self._answer(call, service, question, attendance), _nobody(request))

    async def _answer(
        self, call: Call, service: ServiceOptions, question: _Question, attendance: Attendance
    ) -> Response | None:
        try:
            async with asyncio.timeout(service.timeout_seconds), AsyncExitStack() as stack:
                answers = await self._ask(stack, call, service, question, attendance)
                delivery = await answers.next()
                assert delivery is not None
                attendance.answered()
                return Response(delivery.frame, media_type="application/json")
        except TimeoutError:
            attendance.timed_out()
            raise _timed_out(service) from None
        except TopicError as error:
            raise reading_failure(error) from error

    async def _stream(
        self,
        call: Call,
        service: ServiceOptions,
        question: _Question,
        attendance: Attendance,
        request: Request,
        send: Send,
    ) -> Response | None:
        async def events(answers: Subscription) -> AsyncIterator[str]:
            try:
                async for text in answer_events(self._gateway, answers, service.timeout_seconds):
                    yield text
            except GatewayError:
                attendance.timed_out()
                raise
            attendance.answered()

        async with AsyncExitStack() as stack:
            answers = await self._ask(stack, call, service, question, attendance)
            await send_stream(self._gateway, request, send, events(answers))
        return None

    async def _ask(
        self,
        stack: AsyncExitStack,
        call: Call,
        service: ServiceOptions,
        question: _Question,
        attendance: Attendance,
    ) -> Subscription:
        gateway = self._gateway
        answers = gateway.subscription(call, service.output_topic, question.filter, call.position(), exact=False)
        await stack.enter_async_context(answers)
        # The record is written with the producer held only for as long as that takes.
        async with gateway.writer(call, service.input_topic, question.headers) as writer:
            attendance.asked()
            await writer.write([writer.record(question.message, (question.request_id,))])
        gateway.metrics.produced.inc()
        return answers


async def _nobody(request: Request) -> None:
    await disconnected(request.receive)


def _timed_out(service: ServiceOptions) -> GatewayError:
    return GatewayError(408, f"Request timed out: no answer within {service.timeout_seconds:g} seconds")
