"""An application with a model that takes its time, in front of a gateway: as one process has them, and as two."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from websockets.asyncio.client import ClientConnection, connect

from langstream.deploy.local import LocalDeployment
from langstream.gateway.directory import Target
from langstream.gateway.server import Server, create_gateway, serve
from langstream.gateway.settings import GatewaySettings
from langstream.planner.check import load_and_plan
from langstream.planner.plan import ExecutionPlan
from langstream.records import SimpleRecord
from langstream.runtime.supervision import NodeStatus
from langstream.topics.contract import TopicCluster
from langstream.topics.embedded import open_cluster
from langstream.topics.local.cluster import LocalCluster
from tests.apps.cancellation.slow import PIPELINE, SlowModel, files

SECONDS = 60


@dataclass
class Running:
    """The application, with clients."""

    plan: ExecutionPlan
    model: SlowModel
    clusters: list[LocalCluster]
    deployment: LocalDeployment
    server: Server
    http: aiohttp.ClientSession
    registry: CollectorRegistry
    sockets: list[ClientConnection] = field(default_factory=list)

    def url(self, kind: str, gateway: str, **query: str) -> str:
        return f"http://127.0.0.1:{self.server.port}/api/gateways/{kind}/default/app/{gateway}?{urlencode(query)}"

    async def join(self, gateway: str, session: str, position: str = "latest") -> Client:
        """A client of a chat gateway."""
        query = urlencode({"param:session": session, "option:position": position})
        uri = f"ws://127.0.0.1:{self.server.port}/v1/chat/default/app/{gateway}?{query}"
        self.sockets.append(await connect(uri, compression=None))
        return Client(self.sockets[-1])

    async def records(self, topic: str) -> list[SimpleRecord]:
        """What the topic holds now."""
        reader = self.clusters[0].reader(topic, "earliest")
        await reader.start()
        runs = await reader.read(1_000, 0.0)
        await reader.close()
        return [record for run in runs for record in run.records]

    def status(self, id: str = "chat") -> NodeStatus:
        return next(status for status in self.deployment.status() if status.id == id)

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)

    async def until_done(self, records: int) -> None:
        """So many questions were read, and all of them are committed."""

        async def done() -> bool:
            positions = await self.clusters[0].admin.positions("questions")
            return sum(position.committed for position in positions) == records

        async with asyncio.timeout(SECONDS):
            while not await done():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)


@dataclass
class Client:
    """One connection to a chat gateway."""

    socket: ClientConnection

    async def ask(self, question: str) -> None:
        await self.say({"question": question})

    async def say(self, value: Any) -> None:
        """Send a message of any other form."""
        await self.socket.send(json.dumps({"value": value}))

    async def receive(self) -> dict[str, Any]:
        """The next piece of an answer."""
        while True:
            async with asyncio.timeout(SECONDS):
                frame = json.loads(await self.socket.recv())
            if "record" in frame:
                record: dict[str, Any] = frame["record"]
                return record
            assert frame["status"] == "OK"

    async def answer(self) -> str:
        """A whole answer."""
        text = ""
        while True:
            record = await self.receive()
            text += str(record["value"])
            if record["headers"]["stream-last-message"] == "true":
                assert "stream-cancelled" not in record["headers"]
                return text

    async def leave(self) -> None:
        await self.socket.close()


@dataclass
class Directory:
    """The gateway's view of the plan, over a cluster of its own or the nodes'."""

    plan: ExecutionPlan
    cluster: TopicCluster

    def find(self, tenant: str, application_id: str) -> Target:
        declared = frozenset(name for module in self.plan.application.modules.values() for name in module.topics)
        application = self.plan.application
        where = self.plan.cancellations
        return Target(tenant, application_id, application, declared, self.cluster, lambda agent: None, where)


@pytest.fixture(params=["together", "apart"])
async def launch(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """`await launch(after=0)`. `together`: gateway and nodes share the broker's objects; `apart`: only its file, as
    processes do."""
    async with contextlib.AsyncExitStack() as stack:

        async def launched(after: float = 0, concurrency: int = 8, pipeline: str = PIPELINE) -> Running:
            model = SlowModel()
            await model.start()
            stack.push_async_callback(model.close)
            (tmp_path / "application").mkdir()
            for name, text in files(f"{model.url}/v1", after, concurrency, pipeline).items():
                (tmp_path / "application" / name).write_text(text)
            plan = load_and_plan(tmp_path / "application", "app")
            clusters = [open_cluster({}, tmp_path / "data") for _ in range(1 if request.param == "together" else 2)]
            for cluster in clusters:
                await cluster.start()
                stack.push_async_callback(cluster.close)
            deployment = LocalDeployment(plan, clusters[0], data_directory=tmp_path / "data")
            await deployment.setup()
            await deployment.start()
            stack.push_async_callback(deployment.stop, 5.0)
            registry = CollectorRegistry()
            directory = Directory(plan, clusters[-1])
            app = create_gateway(directory, GatewaySettings(), registry=registry, healthy=lambda: True)
            server = await serve(app, port=0)
            stack.push_async_callback(server.stop)
            http = await stack.enter_async_context(aiohttp.ClientSession())
            running = Running(plan, model, clusters, deployment, server, http, registry)
            stack.push_async_callback(_hang_up, running.sockets)
            return running

        yield launched


async def _hang_up(sockets: list[ClientConnection]) -> None:
    for socket in sockets:
        await socket.close()
