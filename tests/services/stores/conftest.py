"""One store per engine, for the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Store
from tests.services.stores import postgres_server
from tests.services.stores.astra_vector_db.bench import astra_vector_db_bench, data_api
from tests.services.stores.bench import StoreBench, need
from tests.services.stores.cassandra.bench import cassandra_bench
from tests.services.stores.chroma_bench import chroma_bench, chroma_port
from tests.services.stores.milvus_bench import milvus_bench, milvus_port
from tests.services.stores.opensearch.bench import opensearch_bench
from tests.services.stores.pinecone_bench import pinecone_bench
from tests.services.stores.qdrant_bench import qdrant_bench
from tests.services.stores.redis_bench import redis_bench, redis_port
from tests.services.stores.solr.bench import solr_bench
from tests.services.stores.sql_benches import SqlBench, mariadb_bench, mariadb_port, postgresql_bench

__all__ = [
    "astra_vector_db_bench",
    "cassandra_bench",
    "chroma_bench",
    "chroma_port",
    "data_api",
    "mariadb_bench",
    "mariadb_port",
    "milvus_bench",
    "milvus_port",
    "opensearch_bench",
    "pinecone_bench",
    "postgresql_bench",
    "qdrant_bench",
    "redis_bench",
    "redis_port",
    "solr_bench",
]

MEMBERS = [
    "chroma",
    "qdrant",
    "pinecone",
    "herddb",
    "sqlite",
    "duckdb",
    "milvus",
    "postgresql",
    "mariadb",
    "redis",
    "cassandra",
    "opensearch",
    "solr",
    "astra_vector_db",
]
"""The stores of the contract suite; each has a fixture `<name>_bench`."""


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    need(None if postgres_server.binaries() else "PostgreSQL is not installed on this machine")
    with postgres_server.postgres() as url:
        yield url


@pytest.fixture(params=["herddb", "herddb-memory", "sqlite", "duckdb", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    engine = request.param
    configuration = {"service": "jdbc", "driverClass": "any"}
    directory: Path | None = tmp_path
    if engine == "postgresql":
        configuration |= {"url": request.getfixturevalue("postgres_url"), "user": "tester"}
    elif engine.startswith("herddb"):
        configuration["url"] = "jdbc:herddb:server:localhost:7000"
        directory = None if engine == "herddb-memory" else tmp_path
    else:
        configuration["url"] = f"jdbc:{engine}:{tmp_path}/test.db"
    opened = connect("Db", configuration, directory)
    await opened.start()
    if engine == "postgresql":
        await opened.execute("DROP SCHEMA public CASCADE", ())
        await opened.execute("CREATE SCHEMA public", ())
    yield opened
    await opened.close()


@pytest.fixture(params=MEMBERS)
def bench(request: pytest.FixtureRequest) -> StoreBench:
    """A target in every store, one after the other."""
    made: StoreBench = request.getfixturevalue(f"{request.param}_bench")
    return made


@pytest.fixture
def herddb_bench(tmp_path: Path) -> StoreBench:
    return SqlBench("jdbc:herddb:server:localhost:7000", tmp_path)


@pytest.fixture
def sqlite_bench(tmp_path: Path) -> StoreBench:
    return SqlBench(f"jdbc:sqlite:{tmp_path}/test.db")


@pytest.fixture
def duckdb_bench(tmp_path: Path) -> StoreBench:
    return SqlBench(f"jdbc:duckdb:{tmp_path}/test.db")
