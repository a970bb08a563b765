"""Chroma in the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from langstream.services.stores.chroma.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.chroma.store import ChromaStore
from langstream.services.stores.contract import Store
from tests.services.stores import chroma_server
from tests.services.stores.bench import StoreBench, fields, need
from tests.services.stores.proxy import Proxy


class ChromaBench(StoreBench):
    """A collection `docs`."""

    by_id = '{"collection-name": "docs", "ids": [?]}'
    nearest = '{"collection-name": "docs", "vector": ?, "limit": 2}'
    broken = '{"collection-name": "docs", "where": {"year": {"$nonsense": 1}}}'

    def __init__(self, proxy: Proxy) -> None:
        self.proxy: Proxy = proxy

    def configuration(self) -> dict[str, Any]:
        return {"service": "chroma", "url": f"http://127.0.0.1:{self.proxy.port}"}

    def sink(self) -> dict[str, Any]:
        return {"collection-name": "docs", "fields": fields()}

    async def prepare(self, store: Store) -> None:
        assert isinstance(store, ChromaStore)
        configuration = CollectionConfiguration.model_validate({"datasource": "Store", "collection-name": "docs"})
        asset = CollectionAsset(configuration, store)
        await asset.delete()
        await asset.create()
        # The first vector fixes how many numbers those of a collection have.
        body = {"ids": ["first"], "embeddings": [[0.0, 0.0, 1.0]], "metadatas": [None], "documents": [None]}
        await store.post("docs", "upsert", body)
        await store.post("docs", "delete", {"ids": ["first"]})


@pytest.fixture(scope="session")
def chroma_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    need(chroma_server.missing())
    with chroma_server.chroma(tmp_path_factory.mktemp("chroma")) as port:
        yield port


@pytest.fixture
async def chroma_bench(chroma_port: int) -> AsyncIterator[ChromaBench]:
    async with Proxy(chroma_port) as proxy:
        yield ChromaBench(proxy)
