"""What `vector-db-sink` does to a table of a real Cassandra, beyond the suite of all stores."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.agents.declaration import AGENT_TYPES, PlanContext
from langstream.application.model import Agent, Module, Resource
from langstream.errors import LangStreamError, RecordError, ServiceError
from langstream.records import SimpleRecord
from langstream.sdk import contract
from langstream.services.stores.cassandra.store import CqlStore
from langstream.services.stores.connection import connect
from tests.servers.cassandra import Cassandra
from tests.services.stores.cassandra.bench import resource

MAPPING = "id=key.id, n=value.n, tags=value.tags, note=value.note"


@pytest.fixture
async def store(cassandra_server: Cassandra) -> AsyncIterator[CqlStore]:
    opened = connect("C", resource(cassandra_server.port), None)
    assert isinstance(opened, CqlStore)
    await opened.start()
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    for statement in (
        f"CREATE KEYSPACE IF NOT EXISTS shop WITH replication = {replication}",
        "CREATE TABLE IF NOT EXISTS shop.items (id text PRIMARY KEY, n int, tags map<text, int>, note text)",
        'CREATE TABLE IF NOT EXISTS shop."Odd" ("Id" uuid PRIMARY KEY, at timestamp, big decimal)',
        "CREATE TABLE IF NOT EXISTS shop.counts (id text PRIMARY KEY, hits counter)",
    ):
        await opened.execute(statement, ())
    # Tests with write times of their own have keys of their own: these deletions are newer.
    for row in await opened.query("SELECT id FROM shop.items", ()):
        await opened.execute("DELETE FROM shop.items WHERE id = ?", [row["id"]])
    yield opened
    await opened.close()


class Sink:
    """A started sink."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent

    async def write(self, *records: SimpleRecord) -> list[Exception | None]:
        return list(await self._agent.write_batch(list(records)))


async def started(server: Cassandra, **options: Any) -> Sink:
    declared = AGENT_TYPES.load("vector-db-sink")
    given = {"datasource": "C", "table-name": "items", "keyspace": "shop", "mapping": MAPPING, **options}
    configuration = resource(server.port)
    context = PlanContext(
        Agent("a", "vector-db-sink"), Module("m", {}, {}, ()), {"C": Resource("C", "C", "datasource", configuration)}
    )
    agent = declared.create(declared.configuration(given, context).model_validate(given))
    resources = {"C": contract.Resource("C", "C", "datasource", configuration)}
    try:
        await agent.start(contract.AgentContext("a", "app", resources=resources, data_directory=None))
    except BaseException:
        await agent.close()
        raise
    return Sink(agent)


@pytest.fixture
async def opened(cassandra_server: Cassandra, store: CqlStore) -> AsyncIterator[Any]:
    """Starts sinks; they are closed at the end."""
    sinks: list[Sink] = []

    async def open_(**options: Any) -> Sink:
        sinks.append(await started(cassandra_server, **options))
        return sinks[-1]

    yield open_
    for sink in sinks:
        await sink._agent.close()


def record(id: str | None, timestamp: int | None = None, **value: Any) -> SimpleRecord:
    return SimpleRecord(json.dumps(value) if value else None, json.dumps({"id": id}), timestamp=timestamp)


async def items(store: CqlStore) -> list[dict[str, Any]]:
    return sorted(await store.query("SELECT * FROM shop.items", ()), key=lambda row: str(row["id"]))


async def test_text_becomes_what_the_columns_want(opened: Any, store: CqlStore) -> None:
    sink = await opened()
    assert await sink.write(record("a", n="7", tags={"x": "1"}, note=3)) == [None]
    assert await items(store) == [{"id": "a", "n": 7, "note": "3", "tags": {"x": 1}}]


async def test_a_null_leaves_the_column_as_it_is_unless_told_otherwise(opened: Any, store: CqlStore) -> None:
    lenient, strict = await opened(), await opened(nullToUnset="false")
    await lenient.write(record("a", n=1, tags=None, note="kept"))
    await lenient.write(record("a", n=2, tags=None, note=None))
    assert [(row["n"], row["note"]) for row in await items(store)] == [(2, "kept")]
    await strict.write(record("a", n=3, tags=None, note=None))
    assert [(row["n"], row["note"]) for row in await items(store)] == [(3, None)]


async def test_a_row_of_nulls_is_deleted_like_one_without_value(opened: Any, store: CqlStore) -> None:
    sink = await opened()
    await sink.write(record("a", n=1, tags=None, note="x"), record("b", n=1, tags=None, note="x"))
    assert await sink.write(record("a", n=None, tags=None, note=None), record("b")) == [None, None]
    assert await items(store) == []


async def test_deletes_can_be_forbidden(opened: Any, store: CqlStore) -> None:
    sink = await opened(deletesEnabled=False)
    await sink.write(record("a", n=1, tags=None, note="x"))
    (outcome,) = await sink.write(record("a"))
    assert isinstance(outcome, RecordError)
    assert await sink.write(record("a", n=None, tags=None, note=None)) == [None]
    assert [(row["n"], row["note"]) for row in await items(store)] == [(1, "x")]


async def test_a_missing_field_fails_its_record_only(opened: Any, store: CqlStore) -> None:
    sink = await opened()
    first, second = await sink.write(record("a", n=1), record("b", n=2, tags=None, note="x"))
    assert "Required field 'value.tags'" in str(first)
    assert second is None
    assert [row["id"] for row in await items(store)] == ["b"]


async def test_errors_can_be_ignored(opened: Any, store: CqlStore) -> None:
    sink = await opened(ignoreErrors="All")
    wrong = record("a", n=1), record("b", n="no number", tags=None, note="x"), record(None, n=1, tags=None, note="x")
    assert await sink.write(*wrong, record("c", n=1, tags=None, note="x")) == [None] * 4
    assert [row["id"] for row in await items(store)] == ["c"]


async def test_a_late_record_does_not_replace_a_newer_row(opened: Any, store: CqlStore) -> None:
    sink = await opened()
    await sink.write(record("late", 2_000, n=2, tags=None, note="new"))
    await sink.write(record("late", 1_000, n=1, tags=None, note="late"))
    assert [row["note"] for row in await items(store)] == ["new"]
    (row,) = await store.query("SELECT writetime(note) AS at FROM shop.items WHERE id = 'late'", ())
    assert row == {"at": 2_000_000}


async def test_records_of_the_same_millisecond_keep_their_order(opened: Any, store: CqlStore) -> None:
    sink = await opened()
    await sink.write(record("same", 5_000, n=9, tags=None, note="z"), record("same", 5_000, n=1, tags=None, note="b"))
    await sink.write(record("same", 5_000, n=0, tags=None, note="a"))
    assert [(row["n"], row["note"]) for row in await items(store)] == [(0, "a")]
    await sink.write(record("same", 5_000), record("same", 5_000, n=4, tags=None, note="again"))
    assert [row["note"] for row in await items(store)] == ["again"]


async def test_rows_live_as_long_as_told(opened: Any, store: CqlStore) -> None:
    general, each = await opened(ttl=2, ttlTimeUnit="HOURS"), await opened(mapping=MAPPING + ", __ttl=value.ttl")
    await general.write(record("a", n=1, tags=None, note="x"))
    await each.write(record("b", n=1, tags=None, note="x", ttl=50))
    rows = await store.query("SELECT id, ttl(note) AS left FROM shop.items", ())
    left = {row["id"]: row["left"] for row in rows}
    assert 7_000 < left["a"] <= 7_200
    assert 0 < left["b"] <= 50


async def test_the_write_time_can_be_mapped(opened: Any, store: CqlStore) -> None:
    sink = await opened(mapping=MAPPING + ", __timestamp=value.at", timestampTimeUnit="SECONDS")
    await sink.write(record("mapped", n=1, tags=None, note="x", at=3))
    (row,) = await store.query("SELECT writetime(note) AS at FROM shop.items WHERE id = 'mapped'", ())
    assert row == {"at": 3_000_000}


async def test_quoted_names_and_rich_types(opened: Any, store: CqlStore) -> None:
    sink = await opened(
        **{"table-name": 'shop."Odd"', "keyspace": None}, mapping='"Id"=key, at=value.at, big=value.big'
    )
    id = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    value = json.dumps({"at": "2024-02-29T12:00:00Z", "big": 1.25})
    assert await sink.write(SimpleRecord(value, id)) == [None]
    (row,) = await store.query('SELECT * FROM shop."Odd"', ())
    assert (row["Id"], row["big"], row["at"].isoformat()) == (id, 1.25, "2024-02-29T12:00:00+00:00")


async def test_counters_are_added_to(opened: Any, store: CqlStore) -> None:
    sink = await opened(**{"table-name": "counts"}, mapping="id=key.id, hits=value.n")
    await store.execute("TRUNCATE shop.counts", ())
    assert await sink.write(record("a", n=2), record("a", n=3)) == [None, None]
    assert await store.query("SELECT hits FROM shop.counts WHERE id = 'a'", ()) == [{"hits": 5}]


async def test_a_query_of_ones_own(opened: Any, store: CqlStore) -> None:
    sink = await opened(
        mapping="i=key.id, extra=value.n",
        query="UPDATE shop.items SET n = :extra, note = 'own' WHERE id = :i",
        deletesEnabled=False,
    )
    assert await sink.write(record("a", n=4)) == [None]
    assert [(row["n"], row["note"]) for row in await items(store)] == [(4, "own")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"mapping": "n=value.n"}, "needs id as well"),
        ({"mapping": "id=key.id, nonsense=value.n"}, "has no column nonsense"),
        ({"table-name": "nothing"}, "no table nothing in keyspace shop"),
        ({"keyspace": "nowhere"}, "no keyspace nowhere"),
    ],
)
async def test_a_mapping_that_does_not_fit_the_table_is_told_at_the_start(
    opened: Any, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ServiceError, match=reason) as caught:
        await opened(**options)
    assert not caught.value.retryable


async def test_queries_check_their_parameters(store: CqlStore) -> None:
    with pytest.raises(ServiceError, match="your query needs 1 parameters but you provided 2 fields"):
        await store.query("SELECT * FROM shop.items WHERE id = ?", ["a", "b"])
    with pytest.raises(ServiceError, match=r"parameter 1 \(n\)") as caught:
        await store.query("SELECT * FROM shop.items WHERE n = ? ALLOW FILTERING", ["many"])
    assert not caught.value.retryable


async def test_statements_give_what_a_condition_gave(store: CqlStore) -> None:
    statement = "INSERT INTO shop.items (id, n) VALUES (?, ?) IF NOT EXISTS"
    assert await store.execute(statement, ["a", 1]) == {"applied": True}
    assert await store.execute(statement, ["a", 1]) == {"applied": False}
    assert await store.execute("UPDATE shop.items SET n = ? WHERE id = ?", [2, "a"]) == {}


async def test_all_pages_are_read(opened: Any, store: CqlStore) -> None:
    sink = await opened(mapping="id=key.id, n=value.n")
    assert await sink.write(*(record(f"k{n}", n=n) for n in range(1_200))) == [None] * 1_200
    prepared = await store.session.prepared("SELECT n FROM shop.items")
    prepared.fetch_size = 500
    assert sum(row["n"] for row in await store.query("SELECT n FROM shop.items", ())) == sum(range(1_200))


async def test_a_wrong_login_and_a_wrong_data_centre_are_told(cassandra_server: Cassandra) -> None:
    for change, category, words in (
        ({"password": "top-secret"}, "authentication", "refused the login"),
        ({"loadBalancing-localDc": "nowhere"}, "transient", "not in the data centre that is configured"),
    ):
        opened = connect("C", resource(cassandra_server.port, **change), None)
        with pytest.raises(LangStreamError, match=words) as caught:
            await opened.start()
        await opened.close()
        assert getattr(caught.value, "category", None) == category
        assert "top-secret" not in str(caught.value)
