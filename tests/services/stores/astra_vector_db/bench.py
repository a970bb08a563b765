"""The Data API of Astra in the contract suite: the real service cannot be had, so its wire format is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.services.stores.contract import Store
from tests.services.stores.astra_vector_db.data_api import TOKEN, DataApiServer
from tests.services.stores.bench import StoreBench, fields
from tests.services.stores.proxy import Proxy


class AstraVectorDbBench(StoreBench):
    """A collection `docs`."""

    by_id = '{"collection-name": "docs", "filter": {"_id": ?}, "select": ["id", "text", "year", "vector"]}'
    nearest = '{"collection-name": "docs", "vector": ?, "limit": 2}'
    broken = '{"collection-name": "nowhere"}'
    secret = TOKEN
    made_up_keys = True

    def __init__(self, proxy: Proxy, server: DataApiServer) -> None:
        self.proxy: Proxy = proxy
        self.server = server

    def configuration(self) -> dict[str, Any]:
        return {"service": "astra-vector-db", "endpoint": f"http://127.0.0.1:{self.proxy.port}", "token": self.secret}

    def sink(self) -> dict[str, Any]:
        values = [field for field in fields() if field["name"] != "id"]
        return {"collection-name": "docs", "fields": [{"name": "id", "expression": "key.id"}, *values]}

    async def prepare(self, store: Store) -> None:
        self.server.collections["docs"] = {}
        self.server.dimensions["docs"] = 3


@pytest.fixture
async def data_api() -> AsyncIterator[DataApiServer]:
    async with DataApiServer() as server:
        yield server


@pytest.fixture
async def astra_vector_db_bench(data_api: DataApiServer) -> AsyncIterator[AstraVectorDbBench]:
    async with Proxy(data_api.port) as proxy:
        yield AstraVectorDbBench(proxy, data_api)
