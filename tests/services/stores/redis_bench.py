"""Redis in the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from langstream.services.stores.contract import Store
from tests.services.stores import redis_server
from tests.services.stores.bench import StoreBench, fields, need
from tests.services.stores.proxy import Proxy


class RedisBench(StoreBench):
    """Hashes named `docs:…`."""

    by_id = '{"collection-name": "docs", "id": ?}'
    nearest = '{"collection-name": "docs", "vector": ?, "limit": 2, "output-fields": ["id"]}'
    broken = '{"command": ["NONSENSE", "1"]}'
    bad = {"text": "bad", "year": 1, "vector": "no vector"}  # noqa: RUF012
    secret = redis_server.PASSWORD

    def __init__(self, proxy: Proxy) -> None:
        self.proxy: Proxy = proxy

    def configuration(self) -> dict[str, Any]:
        return {"service": "redis", "host": "127.0.0.1", "port": self.proxy.port, "password": self.secret}

    def sink(self) -> dict[str, Any]:
        return {"collection-name": "docs", "fields": fields("id")}

    async def prepare(self, store: Store) -> None:
        await store.execute('{"command": ["FLUSHALL"]}', [])


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    need(redis_server.missing())
    with redis_server.redis(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture
async def redis_bench(redis_port: int) -> AsyncIterator[RedisBench]:
    async with Proxy(redis_port) as proxy:
        yield RedisBench(proxy)
