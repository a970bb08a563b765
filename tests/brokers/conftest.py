"""The brokers under the contract suite. A broker joins by an entry in `BROKERS`; nothing else changes."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from langstream.records import SimpleRecord
from langstream.registry import TOPICS, Registry
from langstream.topics.contract import (
    Fetched,
    RevokedCallback,
    TopicCluster,
    TopicConsumer,
    TopicPartition,
    TopicSpec,
)
from tests.servers.pulsar import NAMESPACE

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Broker:
    """A broker that can be tested: how a cluster of it is opened in a directory, and what the suite may ask of it."""

    name: str
    open: Callable[[Path], TopicCluster]
    maintains: bool = False
    """Retention and compaction can be asked for (`cluster.maintain()`)."""
    lasting: bool = False
    """The topics outlive the directory, so tests with names of their own have to clear them away."""


def _registered(name: str) -> Callable[[Path], TopicCluster]:
    def open_in(directory: Path) -> TopicCluster:
        cluster: TopicCluster = Registry(TOPICS).load(name)({}, directory)
        return cluster

    return open_in


def _on_kafka(bootstrap: str) -> Callable[[Path], TopicCluster]:
    """Members look for changes of their group five times a second, for the sake of quick tests."""
    admin = {"bootstrap.servers": bootstrap, "heartbeat.interval.ms": 200, "session.timeout.ms": 6000}

    def open_in(directory: Path) -> TopicCluster:
        cluster: TopicCluster = Registry(TOPICS).load("kafka")({"admin": admin}, directory)
        return cluster

    return open_in


def on_pulsar(server: Any) -> Callable[[Path], TopicCluster]:
    """Members look for changes of their group five times a second, for the sake of quick tests."""
    tenant, _, namespace = NAMESPACE.partition("/")
    configuration = {
        "service": {"serviceUrl": server.service_url},
        "admin": {"serviceUrl": server.admin_url},
        "default-tenant": tenant,
        "default-namespace": namespace,
        "membership-interval-seconds": 0.2,
    }

    def open_in(directory: Path) -> TopicCluster:
        cluster: TopicCluster = Registry(TOPICS).load("pulsar")(configuration, directory)
        return cluster

    return open_in


BROKERS = [
    Broker("memory", _registered("memory"), maintains=True),
    Broker("embedded", _registered("embedded"), maintains=True),
    pytest.param(Broker("kafka", _registered("kafka"), lasting=True), marks=pytest.mark.xdist_group("kafka")),
    pytest.param(Broker("pulsar", _registered("pulsar"), lasting=True), marks=pytest.mark.xdist_group("pulsar")),
]


class Bench:
    """A started cluster with the few moves that tests repeat."""

    def __init__(self, broker: Broker, directory: Path) -> None:
        self.broker = broker
        self._directory = directory
        self._clusters: list[TopicCluster] = []
        self._names = 0
        self.mark = uuid.uuid4().hex[:8]
        """Tests that share a broker do not meet: neither topics nor groups of one are seen by another."""
        self.cluster: TopicCluster

    async def open(self) -> TopicCluster:
        """Another cluster on the same topics, as another process would have."""
        cluster = self.broker.open(self._directory)
        await cluster.start()
        self._clusters.append(cluster)
        return cluster

    async def close(self) -> None:
        """Close every cluster."""
        for cluster in reversed(self._clusters):
            await cluster.close()

    async def topic(self, partitions: int = 1, **config: Any) -> str:
        """A new topic; settings are written with underscores."""
        self._names += 1
        name = f"topic-{self.mark}-{self._names}"
        settings = {key.replace("_", "."): value for key, value in config.items()}
        await self.cluster.admin.create(TopicSpec(name, partitions, settings))
        return name

    async def send(self, topic: str, *values: Any, key: Any = None) -> None:
        """Send the values in one call; records are taken as they are."""
        producer = self.cluster.producer()
        await producer.start()
        await producer.send(
            topic, [value if isinstance(value, SimpleRecord) else SimpleRecord(value, key) for value in values]
        )
        await producer.close()

    async def consumer(
        self,
        topic: str,
        group: str = "group",
        *,
        on_revoked: RevokedCallback | None = None,
        cluster: TopicCluster | None = None,
    ) -> TopicConsumer:
        """A started member."""
        consumer = (cluster or self.cluster).consumer(topic, f"{group}-{self.mark}", on_revoked=on_revoked)
        await consumer.start()
        return consumer

    async def read(self, topic: str, position: Any = "earliest") -> list[SimpleRecord]:
        """Everything in the topic."""
        reader = self.cluster.reader(topic, position)
        await reader.start()
        records = []
        while fetched := await reader.read(100, 0.02):
            records += [record for run in fetched for record in run.records]
        await reader.close()
        return records

    async def values(self, topic: str) -> list[Any]:
        """The values of everything in the topic."""
        return [record.value() for record in await self.read(topic)]

    async def poll(self, consumer: TopicConsumer, count: int) -> list[Fetched]:
        """Runs with this many records in all."""
        runs: list[Fetched] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (missing := count - sum(len(run.records) for run in runs)) > 0 and time.monotonic() < deadline:
            runs += await consumer.poll(missing, 1.0)
        assert sum(len(run.records) for run in runs) == count
        return runs

    async def until(self, condition: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
        """Wait for something that happens in the background."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            met = condition()
            if await met if isinstance(met, Awaitable) else met:
                return
            assert time.monotonic() < deadline, "it did not happen"
            await asyncio.sleep(0.01)

    @staticmethod
    def texts(runs: Sequence[Fetched]) -> list[Any]:
        """The values of the records."""
        return [record.value() for run in runs for record in run.records]

    @staticmethod
    def ends(runs: Sequence[Fetched]) -> dict[TopicPartition, int]:
        """What to commit after the runs."""
        return {TopicPartition(run.topic, run.partition): run.next_offset for run in runs}


@pytest.fixture(params=BROKERS, ids=["memory", "embedded", "kafka", "pulsar"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each broker in turn."""
    chosen: Broker = request.param
    if chosen.name == "kafka":
        return replace(chosen, open=_on_kafka(request.getfixturevalue("kafka_server").bootstrap))
    if chosen.name == "pulsar":
        return replace(chosen, open=on_pulsar(request.getfixturevalue("pulsar_server")))
    return chosen


@pytest.fixture
async def bench(broker: Broker, tmp_path: Path) -> AsyncIterator[Bench]:
    """A started cluster of the broker."""
    made = Bench(broker, tmp_path)
    made.cluster = await made.open()
    yield made
    await made.close()
