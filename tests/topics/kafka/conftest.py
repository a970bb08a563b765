"""Clusters on a real Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from langstream.topics.kafka import open_cluster
from langstream.topics.kafka.cluster import KafkaCluster
from tests.servers.kafka import Kafka
from tests.topics.kafka.moves import Open


@pytest.fixture
async def connect(kafka_server: Kafka) -> AsyncIterator[Open]:
    """Opens clusters, which are closed after the test."""
    async with AsyncExitStack() as stack:

        async def connected(admin: dict[str, Any] | None = None, **configuration: Any) -> KafkaCluster:
            common = {"bootstrap.servers": kafka_server.bootstrap, "heartbeat.interval.ms": 200}
            properties = {**common, "session.timeout.ms": 6000, **(admin or {})}
            cluster = open_cluster({"admin": properties, **configuration}, None)
            stack.push_async_callback(cluster.close)
            await cluster.start()
            return cluster

        yield connected


@pytest.fixture
async def cluster(connect: Open) -> KafkaCluster:
    """A started one."""
    return await connect()
