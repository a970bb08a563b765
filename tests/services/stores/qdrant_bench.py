"""Qdrant in the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.services.stores.contract import Store
from langstream.services.stores.qdrant.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.qdrant.store import QdrantStore
from tests.services.stores.bench import StoreBench, fields
from tests.services.stores.proxy import Proxy
from tests.services.stores.qdrant_server import API_KEY, QdrantServer


class QdrantBench(StoreBench):
    """A collection `docs`."""

    by_id = '{"collection-name": "docs", "ids": [?]}'
    nearest = '{"collection-name": "docs", "vector": ?, "limit": 2}'
    broken = '{"collection-name": "docs", "filter": {"must": "nonsense"}}'
    secret = API_KEY

    def __init__(self, proxy: Proxy) -> None:
        self.proxy: Proxy = proxy

    def configuration(self) -> dict[str, Any]:
        return {"service": "qdrant", "url": f"http://127.0.0.1:{self.proxy.port}", "api-key": API_KEY}

    def sink(self) -> dict[str, Any]:
        return {"collection-name": "docs", "fields": fields()}

    async def prepare(self, store: Store) -> None:
        assert isinstance(store, QdrantStore)
        configuration = CollectionConfiguration.model_validate(
            {"datasource": "Store", "collection-name": "docs", "vector-dimension": 3}
        )
        await CollectionAsset(configuration, store).create()


@pytest.fixture
async def qdrant_bench() -> AsyncIterator[QdrantBench]:
    pytest.importorskip("qdrant_client", reason="the client library of Qdrant is not installed")
    async with QdrantServer() as server, Proxy(server.port) as proxy:
        yield QdrantBench(proxy)
        server.client.close()
