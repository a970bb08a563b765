"""Clusters on a real Pulsar, and applications."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
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


@pytest.fixture
def instance(pulsar_server: Pulsar, tmp_path: Path) -> Path:
    """An instance file that names the cluster, and a namespace for this test alone, which the application makes."""
    path = tmp_path / "instance.yaml"
    configuration = {
        "service": {"serviceUrl": pulsar_server.service_url},
        "admin": {"serviceUrl": pulsar_server.admin_url},
        "default-tenant": "applications",
        "default-namespace": f"n-{uuid.uuid4().hex[:8]}",
    }
    cluster = {"type": "pulsar", "configuration": configuration}
    path.write_text(json.dumps({"instance": {"streamingCluster": cluster}}))
    return path
