"""Cassandra in the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.services.stores.contract import Row, Store
from tests.servers import cassandra
from tests.services.stores.bench import StoreBench
from tests.services.stores.proxy import Proxy

KEYSPACE = (
    "CREATE KEYSPACE IF NOT EXISTS suite WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE IF NOT EXISTS suite.docs (id text PRIMARY KEY, text text, year int, vector vector<float, 3>)",
    "CREATE INDEX IF NOT EXISTS docs_vector ON suite.docs (vector) USING 'sai'",
)


def resource(port: int, **changes: Any) -> dict[str, Any]:
    """A datasource on the test server."""
    return {
        "service": "cassandra",
        "contact-points": "127.0.0.1",
        "port": port,
        "loadBalancing-localDc": cassandra.DATA_CENTRE,
        "username": cassandra.USER,
        "password": cassandra.PASSWORD,
        **changes,
    }


class CassandraBench(StoreBench):
    """A table `suite.docs`."""

    by_id = "SELECT id, text, year, vector FROM suite.docs WHERE id = ?"
    nearest = "SELECT id FROM suite.docs ORDER BY vector ANN OF ? LIMIT 2"
    broken = "SELECT id FROM nowhere.docs"
    resource_type = "datasource"

    def __init__(self, proxy: Proxy) -> None:
        self.proxy: Proxy = proxy

    def configuration(self) -> dict[str, Any]:
        return resource(self.proxy.port)

    def sink(self) -> dict[str, Any]:
        mapping = "id=key.id, text=value.text, year=value.year, vector=value.vector"
        return {"table-name": "suite.docs", "mapping": mapping}

    async def prepare(self, store: Store) -> None:
        known = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'suite' AND table_name = 'docs'"
        if not await store.query(known, ()):
            for statement in KEYSPACE:
                await store.execute(statement, ())
        for row in await store.query("SELECT id FROM suite.docs", ()):  # TRUNCATE takes seconds
            await store.execute("DELETE FROM suite.docs WHERE id = ?", [row["id"]])

    def row(self, row: Row) -> Row:
        return {**row, "vector": row["vector"]["values"]} if row.get("vector") else row


@pytest.fixture
async def cassandra_bench(cassandra_server: cassandra.Cassandra) -> AsyncIterator[CassandraBench]:
    async with Proxy(cassandra_server.port) as proxy:
        yield CassandraBench(proxy)
