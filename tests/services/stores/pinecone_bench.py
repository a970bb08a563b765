"""Pinecone in the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.services.stores.contract import Row, Store
from langstream.services.stores.pinecone.assets import IndexAsset, IndexConfiguration
from langstream.services.stores.pinecone.store import PineconeStore
from tests.services.stores.bench import StoreBench
from tests.services.stores.pinecone_server import API_KEY, PineconeServer
from tests.services.stores.proxy import Proxy


class PineconeBench(StoreBench):
    """An index `docs` of three dimensions."""

    by_id = '{"ids": [?]}'
    nearest = '{"vector": ?, "topK": 2}'
    broken = '{"vector": [1, 2, 3], "top_k": 5}'
    secret = API_KEY

    def __init__(self, server: PineconeServer, proxy: Proxy) -> None:
        self.server = server
        self.proxy: Proxy = proxy

    def configuration(self) -> dict[str, Any]:
        return {
            "service": "pinecone",
            "api-key": API_KEY,
            "index-name": "docs",
            "control-endpoint": f"http://127.0.0.1:{self.proxy.port}",
        }

    def sink(self) -> dict[str, Any]:
        return {
            "vector.id": "key.id",
            "vector.vector": "value.vector",
            "vector.metadata.text": "value.text",
            "vector.metadata.year": "value.year",
        }

    async def prepare(self, store: Store) -> None:
        assert isinstance(store, PineconeStore)
        self.server.host = f"http://127.0.0.1:{self.proxy.port}"
        configuration = IndexConfiguration.model_validate({"datasource": "Store", "dimension": 3})
        await IndexAsset(configuration, store).create()

    def row(self, row: Row) -> Row:
        assert row.keys() <= {"id", "text", "year", "similarity"}
        return row


@pytest.fixture
async def pinecone_bench() -> AsyncIterator[PineconeBench]:
    async with PineconeServer() as server, Proxy(server.port) as proxy:
        yield PineconeBench(server, proxy)
