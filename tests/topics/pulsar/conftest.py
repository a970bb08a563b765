"""Clusters on a real Pulsar."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from langstream.topics.pulsar import open_cluster
from langstream.topics.pulsar.cluster import PulsarCluster
from tests.servers.pulsar import NAMESPACE, Pulsar
from tests.topics.pulsar.moves import Open


@pytest.fixture
async def connect(pulsar_server: Pulsar) -> AsyncIterator[Open]:
    """Opens clusters, which are closed after the test."""
    tenant, _, namespace = NAMESPACE.partition("/")
    async with AsyncExitStack() as stack:

        async def connected(**configuration: Any) -> PulsarCluster:
            settings = {
                "service": {"serviceUrl": pulsar_server.service_url},
                "admin": {"serviceUrl": pulsar_server.admin_url},
                "default-tenant": tenant,
                "default-namespace": namespace,
                "membership-interval-seconds": 0.2,
                **configuration,
            }
            cluster = open_cluster(settings, None)
            stack.push_async_callback(cluster.close)
            await cluster.start()
            return cluster

        yield connected


@pytest.fixture
async def cluster(connect: Open) -> PulsarCluster:
    """A started one."""
    return await connect()
