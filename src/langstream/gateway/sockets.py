"""WebSocket gateways: produce, consume and chat.

A produce socket answers every message with its status, in order; messages that arrive while the broker is busy are
written together. A consume socket pushes records. A chat socket does both. Subscriptions and producers are ready, and
the events topic knows, before the handshake is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from langstream.application.model import ChatOptions, GatewayType
from langstream.errors import GatewayError, LangStreamError
from langstream.gateway.call import Call
from langstream.gateway.endpoints import StuckClient, first_of, patiently
from langstream.gateway.filters import Filter
from langstream.gateway.gateway import Gateway
from langstream.gateway.headers import resolve
from langstream.gateway.intake import Intake
from langstream.gateway.limits import Pace
from langstream.gateway.message import parse_message
from langstream.gateway.producing import Writer, outcome
from langstream.gateway.subscription import Subscription, lost_connection
from langstream.records import SimpleRecord


class Sockets:
    """The handlers of WebSocket gateways."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def produce(self, websocket: WebSocket) -> None:
        """`/v1/produce/…`"""
        gateway = self._gateway
        call = await gateway.admit(websocket, GatewayType.PRODUCE)
        async with AsyncExitStack() as stack:
            headers = gateway.headers(call, call.gateway.headers)
            await stack.enter_async_context(gateway.presence.attend(call, Filter(headers)))
            writer = await stack.enter_async_context(gateway.writer(call, call.gateway.topic, headers))
            await stack.enter_async_context(gateway.session(call))
            await websocket.accept()
            await self._take_messages(websocket, writer)

    async def consume(self, websocket: WebSocket) -> None:
        """`/v1/consume/…`"""
        gateway = self._gateway
        call = await gateway.admit(websocket, GatewayType.CONSUME)
        async with AsyncExitStack() as stack:
            filter = consume_filter(call)
            await stack.enter_async_context(gateway.presence.attend(call, filter))
            subscription = gateway.subscription(call, call.gateway.topic, filter, call.position())
            await stack.enter_async_context(subscription)
            await stack.enter_async_context(gateway.session(call))
            await websocket.accept()
            await first_of(self._push(websocket, subscription), self._ignore_messages(websocket))

    async def chat(self, websocket: WebSocket) -> None:
        """`/v1/chat/…`"""
        gateway = self._gateway
        call = await gateway.admit(websocket, GatewayType.CHAT)
        chat = chat_options(call)
        async with AsyncExitStack() as stack:
            headers = gateway.headers(call, chat.headers)
            attendance = await stack.enter_async_context(gateway.presence.attend(call, Filter(headers)))
            answers = gateway.subscription(call, chat.answers_topic, Filter(headers), call.position())
            await stack.enter_async_context(answers)
            writer = await stack.enter_async_context(gateway.writer(call, chat.questions_topic, headers))
            await stack.enter_async_context(gateway.session(call))
            await websocket.accept()
            taking = self._take_messages(websocket, writer, attendance.asked)
            await first_of(self._push_answers(websocket, answers), taking)

    # --- pushing ------------------------------------------------------------------------------------------------------

    async def _push(self, websocket: WebSocket, subscription: Subscription) -> None:
        """Send deliveries until reading fails, or the client takes nothing for too long."""
        try:
            async for delivery in subscription.deliveries():
                await self._send(websocket, delivery.frame)
        except LangStreamError as error:
            raise GatewayError(503, lost_connection(error)) from error

    async def _push_answers(self, websocket: WebSocket, subscription: Subscription) -> None:
        """The same for a chat: when the client leaves, its questions are still taken to the end."""
        try:
            await self._push(websocket, subscription)
        except StuckClient:
            raise
        except WebSocketDisconnect:
            await asyncio.Event().wait()

    async def _send(self, websocket: WebSocket, text: str) -> None:
        await patiently(websocket.send_text(text), self._gateway.settings.ping_timeout_seconds)

    async def _ignore_messages(self, websocket: WebSocket) -> None:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            pass

    # --- taking -------------------------------------------------------------------------------------------------------

    async def _take_messages(
        self, websocket: WebSocket, writer: Writer, asked: Callable[[], None] = lambda: None
    ) -> None:
        """Until the client leaves; what it sent before is still written. `asked` is told of every batch."""
        intake = Intake(self._gateway.settings.max_message_bytes)
        receiving = asyncio.create_task(self._receive(websocket, intake))
        try:
            while texts := await intake.take():
                asked()
                replies = await self._write(writer, texts)
                await self._reply(websocket, replies)
        finally:
            receiving.cancel()
            await asyncio.wait([receiving])
        if not receiving.cancelled():
            receiving.result()

    async def _receive(self, websocket: WebSocket, intake: Intake) -> None:
        pace = Pace(self._gateway.settings.messages_per_second)
        try:
            while (message := await websocket.receive())["type"] != "websocket.disconnect":
                await pace.wait()
                text = message.get("text")
                await intake.put(text if text is not None else message["bytes"])
        finally:
            intake.end()

    async def _write(self, writer: Writer, texts: Sequence[str | bytes]) -> list[Exception | None]:
        """One result per message. Bad ones harm none of the others."""
        results: list[Exception | None] = []
        records: list[SimpleRecord] = []
        for text in texts:
            try:
                records.append(writer.record(parse_message(text)))
                results.append(None)
            except GatewayError as error:
                results.append(error)
        failure: Exception | None = None
        if records:
            try:
                await writer.write(records)
                self._gateway.metrics.produced.inc(len(records))
            except Exception as error:
                failure = error
        return [result or failure for result in results]

    async def _reply(self, websocket: WebSocket, results: Sequence[Exception | None]) -> None:
        try:
            for result in results:
                await self._send(websocket, orjson.dumps(outcome(result)).decode())
        except StuckClient:
            raise
        except (WebSocketDisconnect, RuntimeError):
            return  # the client left without waiting; its other messages are still written


def consume_filter(call: Call) -> Filter:
    """The filter of a consume gateway for this client."""
    return Filter((rule.key, resolve(rule, call.query.parameters, call.principal)) for rule in call.gateway.filters)


def chat_options(call: Call) -> ChatOptions:
    """The options of a chat gateway. Raises GatewayError if it has none."""
    if call.gateway.chat is None:
        raise GatewayError(400, f"gateway '{call.gateway.id}' has no chat-options")
    return call.gateway.chat
