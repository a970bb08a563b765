"""Solr in the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.services.stores.contract import Store
from langstream.services.stores.solr.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.solr.store import SolrStore
from tests.servers import solr
from tests.services.stores.bench import StoreBench, fields
from tests.services.stores.proxy import Proxy

VECTOR = '{"name": "knn", "class": "solr.DenseVectorField", "vectorDimension": 3, "similarityFunction": "cosine"}'
ADDED = [
    {"name": "text", "type": "string", "stored": True},
    {"name": "year", "type": "pint", "stored": True},
    {"name": "vector", "type": "knn", "stored": True, "indexed": True},
]
STATEMENTS: list[dict[str, Any]] = [
    {"api": "/api/collections", "body": '"name": "docs", "numShards": 1, "replicationFactor": 1'},
    {"api": "/schema", "body": f' "add-field-type": {VECTOR}'},
    {"api": "/schema", "body": {"add-field": ADDED}},
]


class SolrBench(StoreBench):
    """A collection `docs`."""

    by_id = '{"q": "{!term f=id v=$wanted}", "wanted": ?, "fl": "id,text,year,vector"}'
    nearest = '{"q": "{!knn f=vector topK=2}?", "fl": "id", "rows": 2}'
    broken = '{"q": "{!nonsense}x"}'
    secret = solr.PASSWORD

    def __init__(self, proxy: Proxy) -> None:
        self.proxy: Proxy = proxy

    def configuration(self) -> dict[str, Any]:
        return {
            "service": "solr",
            "host": "127.0.0.1",
            "port": self.proxy.port,
            "collection-name": "docs",
            "user": solr.USER,
            "password": self.secret,
        }

    def sink(self) -> dict[str, Any]:
        return {"fields": fields(), "commit-within": 0}

    async def prepare(self, store: Store) -> None:
        assert isinstance(store, SolrStore)
        options = {"datasource": "Store", "create-statements": STATEMENTS}
        asset = CollectionAsset(CollectionConfiguration.model_validate(options), store)
        if await asset.exists():
            await store.execute('{"action": "delete", "query": "*:*", "commit-within": 0}', [])
        else:
            await asset.create()


@pytest.fixture
async def solr_bench(solr_server: solr.Solr) -> AsyncIterator[SolrBench]:
    async with Proxy(solr_server.port) as proxy:
        yield SolrBench(proxy)
