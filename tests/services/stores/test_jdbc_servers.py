"""What PostgreSQL, MySQL and MariaDB do of their own: bulk writes, types, vectors, generated keys, URLs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from langstream.errors import ServiceError
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Store, Write
from langstream.services.stores.jdbc.assets import TableAsset, TableConfiguration
from langstream.services.stores.jdbc.configuration import JdbcConfiguration, JdbcSinkConfiguration
from langstream.services.stores.jdbc.sql import formatted
from langstream.services.stores.jdbc.store import JdbcStore
from langstream.services.stores.jdbc.url import parse_server
from tests.services.stores.sql_benches import MariaDbBench, PostgresBench, SqlBench


async def started(bench: SqlBench) -> Any:
    store = connect("Db", bench.configuration(), None)
    await store.start()
    await bench.prepare(store)
    return store


@pytest.fixture
async def postgres(postgresql_bench: PostgresBench) -> AsyncIterator[JdbcStore]:
    store = await started(postgresql_bench)
    yield store
    await store.close()


@pytest.fixture
async def maria(mariadb_bench: MariaDbBench) -> AsyncIterator[JdbcStore]:
    store = await started(mariadb_bench)
    yield store
    await store.close()


def sink(table: str, key: str, *others: str) -> JdbcSinkConfiguration:
    fields: list[dict[str, Any]] = [{"name": key, "expression": "key", "primary-key": True}]
    fields += [{"name": name, "expression": f"value.{name}"} for name in others]
    return JdbcSinkConfiguration.model_validate({"datasource": "Db", "table-name": table, "fields": fields})


async def test_vectors_of_postgresql_are_lists(postgres: JdbcStore) -> None:
    await postgres.execute("INSERT INTO docs (id, vector) VALUES (?, ?)", ["a", [1, 0.5, 0]])
    await postgres.execute("INSERT INTO docs (id, vector) VALUES (?, ?)", ["b", "[0,0,1]"])
    query = "SELECT id, vector, vector <-> ? AS far, 1 - (vector <=> ?) AS near FROM docs ORDER BY vector <-> ? LIMIT 1"
    (row,) = await postgres.query(query, [[0, 0, 1]] * 3)
    assert row == {"id": "b", "vector": [0.0, 0.0, 1.0], "far": 0.0, "near": 1.0}


async def test_an_asset_makes_a_table_with_vectors_and_their_index(postgres: JdbcStore) -> None:
    configuration = {
        "datasource": "Db",
        "table-name": "items",
        "create-statements": [
            "CREATE EXTENSION IF NOT EXISTS vector",
            "CREATE TABLE items (id bigint PRIMARY KEY, embedding vector(3), half halfvec(2), meta jsonb, tags text[])",
            "CREATE INDEX ON items USING hnsw (embedding vector_cosine_ops)",
        ],
        "delete-statements": ["DROP TABLE items"],
    }
    asset = TableAsset(TableConfiguration.model_validate(configuration), postgres)
    await asset.create()
    table = postgres.table(sink("items", "id", "embedding", "half", "meta", "tags"))
    values = {"embedding": [1, 0, 0], "half": [1, 2], "meta": {"a": [1]}, "tags": ["x", "y"]}
    assert await table.write([Write({"id": "7"}, values), Write({"id": 8}, dict.fromkeys(values))]) == [None, None]
    rows = await postgres.query("SELECT * FROM items ORDER BY embedding <=> ?", [[1, 0, 0]])
    assert rows == [{"id": 7, **values}, {"id": 8, **dict.fromkeys(values)}]
    await asset.delete()
    assert not await asset.exists()


async def test_many_types_of_postgresql_take_what_records_have(postgres: JdbcStore) -> None:
    await postgres.execute("DROP TABLE IF EXISTS kinds", ())
    await postgres.execute(
        "CREATE TABLE kinds (id uuid PRIMARY KEY, n numeric(10, 2), t timestamptz, d date, b bool, raw bytea)", ()
    )
    table = postgres.table(sink("kinds", "id", "n", "t", "d", "b", "raw"))
    values = {"n": "1.50", "t": 1_700_000_000_000, "d": "2024-02-29", "b": "true", "raw": "x"}
    id = "6f1c2f4e-3d0b-5a37-9a53-6d2b1f0f7b57"
    assert await table.write([Write({"id": id}, values)]) == [None]
    (row,) = await postgres.query("SELECT id, n, b, extract(epoch FROM t)::bigint AS t, d::text AS d FROM kinds", [])
    assert row == {"id": id, "n": 1.5, "b": True, "t": 1_700_000_000, "d": "2024-02-29"}
    (outcome,) = await table.write([Write({"id": "no uuid"}, values)])
    assert isinstance(outcome, ServiceError)
    assert not outcome.retryable


@pytest.mark.parametrize("database", ["postgres", "maria"])
async def test_a_table_without_a_unique_key_is_written_to_as_well(
    request: pytest.FixtureRequest, postgres: Store, maria: Store, database: str
) -> None:
    store = {"postgres": postgres, "maria": maria}[database]
    await store.execute("DROP TABLE IF EXISTS loose", ())
    await store.execute("CREATE TABLE loose (id varchar(20), text varchar(20))", ())
    table = store.table(sink("loose", "id", "text"))
    for text in ("old", "new"):
        assert await table.write([Write({"id": "a"}, {"text": text}), Write({"id": "b"}, {"text": text})]) == [None] * 2
    await table.write([Write({"id": "b"}, None)])
    assert await store.query("SELECT * FROM loose", []) == [{"id": "a", "text": "new"}]


async def test_a_wrong_table_is_each_records_failure(postgres: Store, maria: Store) -> None:
    for store in (postgres, maria):
        (outcome,) = await store.table(sink("nowhere", "id", "text")).write([Write({"id": 1}, {"text": "x"})])
        assert isinstance(outcome, ServiceError)
        assert outcome.category == "refused"


async def test_a_key_of_several_columns(postgres: Store, maria: Store) -> None:
    fields = [
        {"name": "name", "expression": "key.name", "primary-key": True},
        {"name": "chunk", "expression": "key.chunk", "primary-key": True},
        {"name": "text", "expression": "value.text"},
    ]
    configuration = JdbcSinkConfiguration.model_validate({"datasource": "Db", "table-name": "chunks", "fields": fields})
    for store in (postgres, maria):
        await store.execute("DROP TABLE IF EXISTS chunks", ())
        await store.execute(
            "CREATE TABLE chunks (chunk int, name varchar(20), text varchar(20), PRIMARY KEY (name, chunk))", ()
        )
        table = store.table(configuration)
        writes = [Write({"name": "do'c", "chunk": chunk}, {"text": f"t{chunk}"}) for chunk in (1, 2, 3)]
        assert not any(await table.write(writes))
        assert not any(await table.write([Write({"name": "do'c", "chunk": 2}, None), writes[0]]))
        rows = await store.query("SELECT chunk, text FROM chunks ORDER BY chunk", [])
        assert rows == [{"chunk": 1, "text": "t1"}, {"chunk": 3, "text": "t3"}]


async def test_mariadb_counts_and_returns_generated_keys(maria: JdbcStore) -> None:
    await maria.execute("DROP TABLE IF EXISTS numbers", ())
    await maria.execute("CREATE TABLE numbers (id int AUTO_INCREMENT PRIMARY KEY, n decimal(8,2), doc json)", ())
    insert = "INSERT INTO numbers (n, doc) VALUES (?, ?)"
    assert await maria.execute(insert, [1.5, {"a": ["%s", "?"]}], ["id"]) == {"count": 1, "generatedKeys": {"id": 1}}
    assert await maria.execute("UPDATE numbers SET n = 1.5 WHERE id = ?", [1]) == {"count": 1}
    query = "SELECT id, n, json_value(doc, '$.a[0]') AS a FROM numbers WHERE '%?' LIKE '%%?' AND n > ? -- why?\n"
    assert await maria.query(query, [1]) == [{"id": 1, "n": 1.5, "a": "%s"}]
    (row,) = await maria.query("SELECT doc FROM numbers", [])
    assert row["doc"] in ('{"a":["%s","?"]}', {"a": ["%s", "?"]})


async def test_mariadb_is_asked_with_percent_signs_and_no_parameters(maria: JdbcStore) -> None:
    assert await maria.query("SELECT 10 % 4 AS rest, '100%' AS text", []) == [{"rest": 2, "text": "100%"}]


def test_marks_in_texts_and_comments_are_no_parameters() -> None:
    statement = "SELECT '?', \"it''s ?\", 'a\\'?', `?`, 5 % 2 /* ? */ FROM t WHERE a = ? # ?\n AND b ?? ?"
    text, count = formatted(statement)
    assert count == 2
    assert text.count("%s") == 2
    assert text % ("X", "Y") == statement.replace("a = ?", "a = X").replace("?? ?", "? Y")


@pytest.mark.parametrize(
    ("location", "server"),
    [
        ("//db.example.com:5433/shop", ("db.example.com", 5433, "shop")),
        ("//db/shop%20x", ("db", 5432, "shop x")),
        ("//db", ("db", 5432, "")),
        ("//[::1]:1/x", ("::1", 1, "x")),
        ("shop", ("localhost", 5432, "shop")),
    ],
)
def test_servers_of_urls(location: str, server: tuple[str, int, str]) -> None:
    found = parse_server(location, 5432)
    assert (found.host, found.port, found.database) == server


@pytest.mark.parametrize(
    ("driver", "url", "words"),
    [
        ("com.mysql.cj.jdbc.Driver", "jdbc:postgresql://h/d", "is the driver of mysql"),
        ("herddb.jdbc.Driver", "jdbc:sqlite:x", "is the driver of herddb"),
        ("", "jdbc:oracle:thin:@x", "'oracle' are not supported"),
        ("", "jdbc:mysql://a,b/c", "expected //HOST"),
        ("", "postgres://h/d", "is not a JDBC URL"),
    ],
)
def test_urls_that_cannot_be_used_are_refused_when_planning(driver: str, url: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        JdbcConfiguration.model_validate({"service": "jdbc", "driverClass": driver, "url": url})


@pytest.mark.parametrize(
    ("driver", "url"),
    [
        ("org.postgresql.Driver", "jdbc:postgresql://h/d?user=u&password=p"),
        ("org.mariadb.jdbc.Driver", "jdbc:mysql://h/d"),
        ("com.mysql.cj.jdbc.Driver", "jdbc:mysql://h:3307/d?useSSL=true"),
        ("org.mariadb.jdbc.Driver", "jdbc:mariadb://h/d"),
        ("my.own.Driver", "jdbc:duckdb:x"),
    ],
)
def test_drivers_of_the_original_are_accepted(driver: str, url: str) -> None:
    assert JdbcConfiguration.model_validate({"service": "jdbc", "driverClass": driver, "url": url}).url == url
