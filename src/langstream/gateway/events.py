"""The events topic: clients coming and going, as records, for every session of a gateway that names such a topic.

Nothing in an event can be used to impersonate anybody: no cookies, credentials or tokens of the client, and nothing of
the gateway's authentication but its provider's name.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from langstream.application.model import Gateway
from langstream.gateway.call import Call
from langstream.gateway.producers import ProducerCache
from langstream.records import SimpleRecord, dump_json

log = logging.getLogger(__name__)

CATEGORY: Final = "Gateway"
CONNECTED: Final = "ClientConnected"
DISCONNECTED: Final = "ClientDisconnected"
FAREWELL_SECONDS: Final = 10.0
_SECRET: Final = re.compile(r"(?i)cookie|authorization|authentication|token|secret|password|credential|api-?key")


class Events:
    """Writes the events."""

    def __init__(self, producers: ProducerCache) -> None:
        self._producers = producers
        self._farewells: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def session(self, call: Call) -> AsyncIterator[None]:
        """Announces the client, and its leaving. Failing to announce refuses the client."""
        if call.gateway.events_topic is None:
            yield
            return
        await self._send(call, CONNECTED)
        try:
            yield
        finally:
            # The session may be going because it was cancelled; its farewell is not.
            task = asyncio.create_task(self._say_farewell(call))
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)

    async def close(self) -> None:
        """Wait for farewells under way."""
        if self._farewells:
            await asyncio.wait(self._farewells)

    async def _say_farewell(self, call: Call) -> None:
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._send(call, DISCONNECTED)
        except Exception as error:
            log.warning("gateway %s: an event %s was lost: %s", call.gateway.id, DISCONNECTED, error)

    async def _send(self, call: Call, type: str) -> None:
        topic = call.gateway.events_topic
        assert topic is not None
        call.check_topic(topic)
        record = SimpleRecord(dump_json(event(call, type)).decode())
        async with self._producers.lease(call.target, call.gateway.id, topic) as producer:
            await producer.send(topic, [record])


def event(call: Call, type: str) -> dict[str, Any]:
    """The event's value."""
    return {
        "category": CATEGORY,
        "type": type,
        "timestamp": int(time.time() * 1000),
        "source": {
            "tenant": call.target.tenant,
            "applicationId": call.target.application_id,
            "gateway": described(call.gateway),
        },
        "data": {
            "userParameters": dict(call.query.parameters),
            "options": dict(call.query.options),
            "httpRequestHeaders": {
                name: value for name, value in call.request_headers.items() if not _SECRET.search(name)
            },
        },
    }


def described(gateway: Gateway) -> dict[str, Any]:
    """The gateway as written, its authentication reduced to the provider."""
    members: Mapping[str, Any] = {"id": gateway.id, "type": str(gateway.type), **gateway.definition}
    described = {name: value for name, value in members.items() if name != "authentication"}
    if gateway.authentication is not None:
        described["authentication"] = {
            "provider": gateway.authentication.provider,
            "allow-test-mode": gateway.authentication.allow_test_mode,
        }
    return described
