"""A gateway over a broker in memory, on a real port, and clients for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect

from langstream.application.model import Application, Gateway, Module, Topic
from langstream.gateway.directory import Target
from langstream.gateway.gateway import Gateway as GatewayParts
from langstream.gateway.server import Server, create_gateway, serve
from langstream.gateway.settings import GatewaySettings
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicCluster, TopicProducer, TopicSpec
from langstream.topics.memory import open_cluster

TENANT = "default"
APPLICATION = "app"


@dataclass
class Deployed:
    """A directory of one application."""

    target: Target | None = None

    def find(self, tenant: str, application_id: str) -> Target | None:
        known = self.target is not None and (tenant, application_id) == (TENANT, APPLICATION)
        return self.target if known else None


@dataclass
class Harness:
    """Everything a test talks to."""

    server: Server
    app: Starlette
    http: aiohttp.ClientSession
    cluster: TopicCluster
    producer: TopicProducer
    registry: CollectorRegistry
    directory: Deployed
    healthy: bool = True
    sockets: list[ClientConnection] = field(default_factory=list)

    @property
    def parts(self) -> GatewayParts:
        parts: GatewayParts = self.app.state.gateway
        return parts

    def url(self, kind: str, gateway: str, query: Mapping[str, str] | None = None, rest: str = "") -> str:
        path = f"/api/gateways/{kind}/{TENANT}/{APPLICATION}/{gateway}{rest}"
        return f"http://127.0.0.1:{self.server.port}{path}" + (f"?{urlencode(query)}" if query else "")

    async def socket(self, kind: str, gateway: str, query: Mapping[str, str] | None = None, **how: Any) -> Socket:
        path = f"/v1/{kind}/{TENANT}/{APPLICATION}/{gateway}" + (f"?{urlencode(query)}" if query else "")
        connection = await connect(
            f"ws://127.0.0.1:{self.server.port}{path}", **{"compression": None, "max_size": None, **how}
        )
        self.sockets.append(connection)
        return Socket(connection)

    async def send(self, topic: str, *values: Any, key: Any = None, headers: Mapping[str, Any] | None = None) -> None:
        records = [SimpleRecord(value, key, tuple((headers or {}).items())) for value in values]
        await self.producer.send(topic, records)

    async def read(self, topic: str, count: int) -> list[SimpleRecord]:
        reader = self.cluster.reader(topic, "earliest")
        await reader.start()
        records: list[SimpleRecord] = []
        while len(records) < count and (runs := await reader.read(1000, 60)):
            records += [record for run in runs for record in run.records]
        await reader.close()
        return records

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)

    def metric(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(name, labels)
        assert value is not None, f"no metric {name} {labels}"
        return value


@dataclass
class Socket:
    """A WebSocket speaking JSON."""

    connection: ClientConnection

    async def send(self, message: Any) -> None:
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def receive(self, timeout: float = 60) -> Any:
        async with asyncio.timeout(timeout):
            return json.loads(await self.connection.recv())

    async def quiet(self, seconds: float = 0.2) -> bool:
        try:
            await self.receive(seconds)
        except TimeoutError:
            return True
        return False

    async def close(self) -> None:
        await self.connection.close()


def application(*gateways: Gateway, topics: tuple[Topic, ...] = ()) -> Application:
    names = {topic.name: topic for topic in topics}
    return Application({"default": Module("default", {}, names, ())}, {}, gateways)


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """`await start(Gateway(…), topics=["in"])` gives a Harness."""
    running: list[Harness] = []

    async def starting(
        *gateways: Gateway,
        topics: tuple[str | Topic, ...] = ("in", "out"),
        partitions: int = 1,
        settings: GatewaySettings | None = None,
        address: Callable[[str], str | None] = lambda agent: None,
        app: Application | None = None,
    ) -> Harness:
        declared = tuple(replace(t) if isinstance(t, Topic) else Topic(t) for t in topics)
        cluster = open_cluster({}, None)
        await cluster.start()
        for topic in declared:
            await cluster.admin.create(TopicSpec(topic.name, partitions))
        producer = cluster.producer()
        await producer.start()
        registry = CollectorRegistry()
        chosen = app or application(*gateways, topics=declared)
        names = frozenset(topic.name for topic in declared)
        directory = Deployed(Target(TENANT, APPLICATION, chosen, names, cluster, address))
        state: list[Harness] = []
        asgi = create_gateway(
            directory, settings or GatewaySettings(), registry=registry, healthy=lambda: state[0].healthy
        )
        server = await serve(asgi, port=0)
        http = aiohttp.ClientSession()
        harness = Harness(server, asgi, http, cluster, producer, registry, directory)
        state.append(harness)
        running.append(harness)
        return harness

    yield starting
    for harness in running:
        for socket in harness.sockets:
            await socket.close()
        await harness.http.close()
        await harness.server.stop()
        await harness.producer.close()
        await harness.cluster.close()
