"""Server-sent events: consume and chat for clients that speak plain HTTP, and the streamed answers of services.

Every event's `data` is a push frame and its `id` the frame's offset, so that a browser's `EventSource` which reconnects
goes on exactly where it was. A failure after the beginning is an event `error` whose data is a problem document.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, TypeAlias

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Send

from langstream.application.model import GatewayType
from langstream.errors import GatewayError, TopicError
from langstream.gateway.answers import Answer
from langstream.gateway.delivery import Delivery
from langstream.gateway.endpoints import StuckClient, disconnected, first_of, patiently, refused_at
from langstream.gateway.filters import Filter
from langstream.gateway.gateway import Gateway
from langstream.gateway.limits import body_within
from langstream.gateway.message import message_of_body
from langstream.gateway.problems import problem
from langstream.gateway.producing import outcome
from langstream.gateway.sockets import chat_options, consume_filter
from langstream.gateway.subscription import Subscription, lost_connection

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
Emit: TypeAlias = Callable[[str], Awaitable[None]]


class Streams:
    """The handlers of gateways over server-sent events."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def consume(self, request: Request, send: Send) -> Response | None:
        """`GET /api/gateways/consume/…`"""
        gateway = self._gateway
        call = await gateway.admit(request, GatewayType.CONSUME)
        await body_within(request, gateway.settings.max_body_bytes)
        async with AsyncExitStack() as stack:
            position = call.position(request.headers.get("last-event-id"))
            filter = consume_filter(call)
            await stack.enter_async_context(gateway.presence.attend(call, filter))
            subscription = gateway.subscription(call, call.gateway.topic, filter, position)
            await stack.enter_async_context(subscription)
            await stack.enter_async_context(gateway.session(call))

            async def events() -> AsyncIterator[str]:
                while True:
                    delivery = await subscription.next(gateway.settings.ping_interval_seconds)
                    yield ": still here\n\n" if delivery is None else record_event(delivery)

            await send_stream(gateway, request, send, events())
        return None

    async def chat(self, request: Request, send: Send) -> Response | None:
        """`POST /api/gateways/chat/…`: the question is the body, the answers are the events."""
        gateway = self._gateway
        call = await gateway.admit(request, GatewayType.CHAT)
        chat = chat_options(call)
        body = await body_within(request, gateway.settings.max_body_bytes)
        message = message_of_body(request.headers.get("content-type"), body)
        async with AsyncExitStack() as stack:
            headers = gateway.headers(call, chat.headers)
            attendance = await stack.enter_async_context(gateway.presence.attend(call, Filter(headers)))
            answers = gateway.subscription(call, chat.answers_topic, Filter(headers), call.position())
            await stack.enter_async_context(answers)
            writer = await stack.enter_async_context(gateway.writer(call, chat.questions_topic, headers))
            record = writer.record(message)
            await stack.enter_async_context(gateway.session(call))
            attendance.asked()
            await writer.write([record])
            gateway.metrics.produced.inc()

            async def events() -> AsyncIterator[str]:
                yield event(orjson.dumps(outcome(None)).decode(), name="status")
                async for text in answer_events(gateway, answers, gateway.settings.answer_timeout_seconds):
                    yield text
                attendance.answered()

            await send_stream(gateway, request, send, events())
        return None


async def answer_events(gateway: Gateway, answers: Subscription, timeout_seconds: float) -> AsyncIterator[str]:
    """The records of one answer. Raises GatewayError 504 when the next one does not come in time."""
    answer = Answer()
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout_seconds
    while True:
        patience = max(0.0, deadline - clock())
        delivery = await answers.next(min(patience, gateway.settings.ping_interval_seconds))
        if delivery is not None:
            yield record_event(delivery)
            if answer.completed_by(delivery):
                return
            deadline = clock() + timeout_seconds
        elif clock() >= deadline:
            raise GatewayError(504, f"Request timed out: no answer within {timeout_seconds:g} seconds")
        else:
            yield ": still here\n\n"


async def send_stream(gateway: Gateway, request: Request, send: Send, events: AsyncIterator[str]) -> None:
    """Send the events until they end, the client leaves, or the server stops."""

    async def stopped() -> None:
        await gateway.stopping.wait()

    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b": connected\n\n", "more_body": True})
    await first_of(_send_events(gateway, request, send, events), disconnected(request.receive), stopped())
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_events(gateway: Gateway, request: Request, send: Send, events: AsyncIterator[str]) -> None:
    try:
        async for text in events:
            sending = send({"type": "http.response.body", "body": text.encode(), "more_body": True})
            await patiently(sending, gateway.settings.ping_timeout_seconds)
    except StuckClient:
        raise
    except Exception as error:
        refused = refused_at(request.scope, reading_failure(error))
        document = problem(refused.status, refused.reason, request.scope["path"])
        text = event(orjson.dumps(document).decode(), name="error")
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


def reading_failure(error: Exception) -> Exception:
    """What ended a subscription, said to its client."""
    return GatewayError(503, lost_connection(error)) if isinstance(error, TopicError) else error


def record_event(delivery: Delivery) -> str:
    """The event of a record."""
    return event(delivery.frame, id=delivery.offset)


def event(data: str, *, name: str | None = None, id: str | None = None) -> str:
    """One server-sent event. JSON has no line breaks, so the data is one line."""
    lines = [f"event: {name}"] if name else []
    lines += [f"id: {id}"] if id else []
    return "\n".join([*lines, f"data: {data}", "", ""])
