"""Milvus in the contract suite: Milvus Lite, which serves the protocol of Milvus on a port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from langstream.services.stores.contract import Store
from langstream.services.stores.milvus.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.milvus.store import MilvusStore
from tests.services.stores.bench import StoreBench, fields
from tests.services.stores.proxy import Proxy

CREATE: list[dict[str, Any]] = [
    {
        "command": "create-collection",
        "collection-name": "docs",
        "field-types": [
            {"name": "id", "data-type": "VarChar", "primary-key": True, "max-length": 200},
            {"name": "text", "data-type": "VarChar", "max-length": 1000},
            {"name": "year", "data-type": "Int64"},
            {"name": "vector", "data-type": "FloatVector", "dimension": 3},
        ],
    },
    {
        "command": "create-index",
        "collection-name": "docs",
        "field-name": "vector",
        "index-type": "FLAT",
        "metric-type": "COSINE",
    },
    {"command": "load-collection"},
]


@contextmanager
def server(directory: Path) -> Iterator[int]:
    """A Milvus Lite serving on a port of its own."""
    pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed")
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    running, database, port = start_server_in_thread(data_dir=str(directory / "lite"), host="127.0.0.1", port=0)
    yield port
    running.stop(grace=0).wait()
    database.close()


class MilvusBench(StoreBench):
    """A collection `docs`."""

    by_id = (
        '{"collection-name": "docs", "filter": "id == {id}", "filter-params": {"id": ?}, '
        '"output-fields": ["id", "text", "year"]}'
    )
    nearest = '{"collection-name": "docs", "vectors": ?, "limit": 2, "consistency-level": "STRONG"}'
    broken = '{"collection-name": "docs", "filter": "id ==== 1", "limit": 2}'

    def __init__(self, proxy: Proxy) -> None:
        self.proxy: Proxy = proxy

    def configuration(self) -> dict[str, Any]:
        return {"service": "milvus", "host": "127.0.0.1", "port": self.proxy.port, "timeout-seconds": 4}

    def sink(self) -> dict[str, Any]:
        return {"collection-name": "docs", "fields": fields()}

    async def prepare(self, store: Store) -> None:
        assert isinstance(store, MilvusStore)
        configuration = CollectionConfiguration.model_validate(
            {"datasource": "Store", "collection-name": "docs", "create-statements": CREATE}
        )
        asset = CollectionAsset(configuration, store)
        await asset.delete()
        await asset.create()


@pytest.fixture(scope="session")
def milvus_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with server(tmp_path_factory.mktemp("milvus")) as port:
        yield port


@pytest.fixture
async def milvus_bench(milvus_port: int) -> AsyncIterator[MilvusBench]:
    async with Proxy(milvus_port) as proxy:
        yield MilvusBench(proxy)
