"""OpenSearch in the contract suite."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.services.stores.contract import Row, Store
from langstream.services.stores.opensearch.assets import IndexAsset, IndexConfiguration
from langstream.services.stores.opensearch.store import OpenSearchStore
from tests.servers import opensearch
from tests.services.stores.bench import StoreBench, fields
from tests.services.stores.proxy import Proxy

SETTINGS = {"index": {"knn": True, "number_of_shards": 1, "number_of_replicas": 0}}
VECTOR = {
    "type": "knn_vector",
    "dimension": 3,
    "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
}
MAPPINGS = {"properties": {"text": {"type": "keyword"}, "year": {"type": "integer"}, "vector": VECTOR}}


class OpenSearchBench(StoreBench):
    """An index `docs`."""

    by_id = '{"query": {"ids": {"values": [?]}}}'
    nearest = '{"size": 2, "query": {"knn": {"vector": {"vector": ?, "k": 2}}}}'
    broken = '{"query": {"nonsense": {}}}'
    made_up_keys = True

    def __init__(self, proxy: Proxy) -> None:
        self.proxy: Proxy = proxy

    def configuration(self) -> dict[str, Any]:
        return {
            "service": "opensearch",
            "host": "127.0.0.1",
            "port": self.proxy.port,
            "https": False,
            "index-name": "docs",
        }

    def sink(self) -> dict[str, Any]:
        values = [field for field in fields() if field["name"] != "id"]
        return {"id": "key.id", "fields": values, "bulk-parameters": {"refresh": "true"}}

    async def prepare(self, store: Store) -> None:
        assert isinstance(store, OpenSearchStore)
        texts = {"settings": json.dumps(SETTINGS), "mappings": json.dumps(MAPPINGS)}
        asset = IndexAsset(IndexConfiguration.model_validate({"datasource": "Store", **texts}), store)
        if await asset.exists():
            await store.execute('{"action": "delete-by-query", "query": {"match_all": {}}, "refresh": "true"}', [])
        else:
            await asset.create()

    def row(self, row: Row) -> Row:
        return {"id": row["id"], **row["document"]}


@pytest.fixture
async def opensearch_bench(opensearch_server: opensearch.OpenSearch) -> AsyncIterator[OpenSearchBench]:
    async with Proxy(opensearch_server.port) as proxy:
        yield OpenSearchBench(proxy)
