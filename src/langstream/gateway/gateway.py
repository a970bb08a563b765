"""What all kinds of gateways share: admitting a client, and the parts that serve it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from starlette.requests import HTTPConnection

from langstream.application.model import GatewayType, HeaderRule
from langstream.gateway.announcer import Announcer
from langstream.gateway.authentication.contract import RequestInfo
from langstream.gateway.authentication.door import Door
from langstream.gateway.call import Call, find, gateway_of
from langstream.gateway.directory import Directory
from langstream.gateway.events import Events
from langstream.gateway.filters import Filter
from langstream.gateway.headers import Resolved, resolve_all
from langstream.gateway.metrics import GatewayMetrics
from langstream.gateway.outbound import Outbound
from langstream.gateway.presence import Presence
from langstream.gateway.producers import ProducerCache
from langstream.gateway.producing import Writer
from langstream.gateway.query import read_query
from langstream.gateway.settings import GatewaySettings
from langstream.gateway.subscription import Subscription
from langstream.gateway.tail import Tails
from langstream.topics.contract import Position


class Gateway:
    """The parts of one gateway server. `close` releases them all."""

    def __init__(self, directory: Directory, settings: GatewaySettings, metrics: GatewayMetrics) -> None:
        self.directory = directory
        self.settings = settings
        self.metrics = metrics
        self.outbound = Outbound()
        self.tails = Tails(metrics, settings.linger_seconds)
        self.producers = ProducerCache(
            metrics,
            settings.producer_cache_size if settings.producer_cache_enabled else 0,
            settings.producer_cache_seconds,
        )
        self.events = Events(self.producers)
        self.door = Door(settings, self.outbound)
        self.stopping = asyncio.Event()
        """Set when the server stops: streams end, so that nobody has to wait for them."""
        self._announcer = Announcer(self.producers, metrics)
        self.presence = Presence(self._announcer, self.stopping)

    async def close(self) -> None:
        """Release everything."""
        self.stopping.set()
        self.presence.close()
        await self._announcer.close()
        await self.events.close()
        await self.tails.close()
        await self.producers.close()
        await self.outbound.close()

    async def admit(self, connection: HTTPConnection, type: GatewayType) -> Call:
        """The call, checked and authenticated. Raises GatewayError."""
        path = connection.path_params
        tenant, application_id, gateway_id = path["tenant"], path["application"], path["gateway"]
        target = find(self.directory, tenant, application_id)
        gateway = gateway_of(target, gateway_id, type)
        text = connection.scope["query_string"].decode("ascii", "replace")
        query = read_query(text, gateway, last_wins=connection.scope["type"] == "websocket")
        request = RequestInfo(tenant, application_id, gateway_id)
        principal = await self.door.admit(gateway, query, bearer(connection), request)
        return Call(target, gateway, query, principal, dict(connection.headers))

    def headers(self, call: Call, rules: Iterable[HeaderRule]) -> Resolved:
        """The gateway's headers for this client. Raises GatewayError."""
        return resolve_all(rules, call.query.parameters, call.principal)

    @asynccontextmanager
    async def writer(self, call: Call, topic: str | None, headers: Resolved) -> AsyncIterator[Writer]:
        """A writer to the topic, its producer held."""
        name = call.check_topic(topic)
        async with self.producers.lease(call.target, call.gateway.id, name) as producer:
            yield Writer(call.target, name, producer, headers)

    def subscription(
        self, call: Call, topic: str | None, filter: Filter, position: Position, *, exact: bool = True
    ) -> Subscription:
        """A subscription to the topic, to be entered."""
        return Subscription(
            self.tails,
            self.metrics,
            call.target.cluster,
            call.check_topic(topic),
            filter,
            position,
            exact=exact,
            max_records=self.settings.session_records,
            max_bytes=self.settings.session_bytes,
        )

    @asynccontextmanager
    async def session(self, call: Call) -> AsyncIterator[None]:
        """Counts the session, and announces it on the events topic."""
        sessions = self.metrics.sessions.labels(str(call.gateway.type))
        async with self.events.session(call):
            sessions.inc()
            try:
                yield
            finally:
                sessions.dec()


def bearer(connection: HTTPConnection) -> str | None:
    """Credentials given as `Authorization: Bearer`, which keeps them out of URLs."""
    scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None
