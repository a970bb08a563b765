"""What `query` and `query-vector-db` do with records, and what the sink does with rows, on the embedded engine.

Ids are those of facts about the original.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from langstream.agents.declaration import AGENT_TYPES, PlanContext
from langstream.application import model
from langstream.configuration.validation import check
from langstream.errors import LangStreamError
from langstream.records import Record, SimpleRecord
from langstream.sdk.contract import AgentContext, Resource
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Store

DATABASE: Final = {"service": "jdbc", "driverClass": "herddb.jdbc.Driver", "url": "jdbc:herddb:local"}
PRODUCTS: Final = "CREATE TABLE products (id int auto_increment primary key, name string, price int)"
ROWS: Final = {"query": "SELECT name, price FROM products WHERE id >= ? ORDER BY id", "fields": ["value.id"]}
ONE, TWO = {"name": "one", "price": 101}, {"name": "two", "price": 102}
LOOP: Final = {**ROWS, "fields": ["record.id"], "loop-over": "value.l"}
UPDATE: Final = {"mode": "execute", "query": "UPDATE products SET price = ? WHERE id >= ?"}
INSERT: Final = {
    "mode": "execute",
    "query": "INSERT INTO products (name, price) VALUES (?, ?)",
    "fields": ["value.name", "1"],
}
OUT: Final = {"output-field": "value.r"}


@dataclass(frozen=True)
class Stored:
    """A value, the options of a query, and the value afterwards."""

    value: Any
    options: Mapping[str, Any]
    result: Any


FACTS: Final = {
    "Q-16 rows": Stored({"id": 2}, {**ROWS, **OUT}, {"id": 2, "r": [TWO]}),
    "all rows in order": Stored({"id": 1}, {**ROWS, **OUT}, {"id": 1, "r": [ONE, TWO]}),
    "no rows": Stored({"id": 9}, {**ROWS, **OUT}, {"id": 9, "r": []}),
    "only the first": Stored({"id": 1}, {**ROWS, **OUT, "only-first": True}, {"id": 1, "r": ONE}),
    "Q-21": Stored({"id": 9}, {**ROWS, **OUT, "only-first": True}, {"id": 9, "r": {}}),
    "Q-22": Stored({"l": [{"id": 2}, {"id": 1}]}, {**LOOP, **OUT}, {"l": [{"id": 2}, {"id": 1}], "r": [TWO, ONE, TWO]}),
    "first of all items": Stored(
        {"l": [{"id": 9}, {"id": 2}]}, {**LOOP, **OUT, "only-first": True}, {"l": [{"id": 9}, {"id": 2}], "r": TWO}
    ),
    "Q-23": Stored({}, {**LOOP, **OUT}, {"r": []}),
    "Q-23 null": Stored({"l": None}, {**LOOP, **OUT, "only-first": True}, {"l": None, "r": {}}),
    "Q-17": Stored({"id": 1}, {**UPDATE, **OUT, "fields": ["5", "value.id"]}, {"id": 1, "r": {"count": 2}}),
    "nothing changed": Stored({"id": 9}, {**UPDATE, **OUT, "fields": ["5", "value.id"]}, {"id": 9, "r": {"count": 0}}),
    "only-first means nothing to a statement": Stored(
        {"id": 2}, {**UPDATE, **OUT, "fields": ["5", "value.id"], "only-first": True}, {"id": 2, "r": {"count": 1}}
    ),
    "a statement for each item": Stored(
        {"l": [2, 9]},
        {**UPDATE, **OUT, "fields": ["5", "record"], "loop-over": "value.l"},
        {"l": [2, 9], "r": [{"count": 1}, {"count": 0}]},
    ),
    "a statement for no item": Stored({}, {**UPDATE, **OUT, "fields": [], "loop-over": "value.l"}, {"r": []}),
    "Q-18": Stored(
        {"name": "new"},
        {**INSERT, **OUT, "generated-keys": ["id"]},
        {"name": "new", "r": {"count": 1, "generatedKeys": {"id": 3}}},
    ),
    "no keys asked for": Stored({"name": "new"}, {**INSERT, **OUT}, {"name": "new", "r": {"count": 1}}),
    "Q-25": Stored({"id": 1}, {**ROWS, **OUT, "when": "value.missing.x == 1"}, {"id": 1}),
    "a condition that holds": Stored({"id": 2}, {**ROWS, **OUT, "when": "value.id == 2"}, {"id": 2, "r": [TWO]}),
    "the value is replaced": Stored({"id": 2}, {**ROWS, "output-field": "value"}, [TWO]),
    "a field is replaced": Stored({"id": 2}, {**ROWS, "output-field": "value.id"}, {"id": [TWO]}),
    "Q-24 constants": Stored({"a": 1}, {**ROWS, **OUT, "fields": ["2"]}, {"a": 1, "r": [TWO]}),
    "headers and keys are parameters": Stored(
        {},
        {**OUT, "query": "SELECT ? AS h, ? AS k", "fields": ["properties.h", "key"]},
        {"r": [{"h": "x", "k": "the key"}]},
    ),
    "a text that looks like a mark": Stored(
        {"t": "why?"},
        {**OUT, "query": "SELECT ? AS a, '?' AS b", "fields": ["value.t"]},
        {"t": "why?", "r": [{"a": "why?", "b": "?"}]},
    ),
}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = connect("Db", DATABASE, tmp_path)
    await opened.start()
    await opened.execute(PRODUCTS, ())
    await opened.execute("INSERT INTO products (name, price) VALUES ('one', 101), ('two', 102)", ())
    yield opened
    await opened.close()


async def started(type: str, options: Mapping[str, Any], directory: Path) -> Any:
    """The agent, with the database `Db`."""
    declared = AGENT_TYPES.load(type)
    options = {"datasource": "Db", **options}
    entry = model.Resource("Db", "Db", "datasource", DATABASE)
    context = PlanContext(model.Agent("a", type), model.Module("default", {}, {}, ()), {"Db": entry})
    expected: Any = declared.configuration
    options_model = expected(options, context) if type == "vector-db-sink" else expected
    configuration, problems = check(options_model, options, subject=type)
    assert not problems, problems
    agent = declared.create(configuration)
    resource = Resource("Db", "Db", "datasource", DATABASE)
    await agent.start(AgentContext("a", "app", resources={"Db": resource}, data_directory=directory))
    return agent


async def outcome(record: SimpleRecord, options: Mapping[str, Any], directory: Path, agent: str = "query") -> Any:
    started_agent = await started(agent, options, directory)
    try:
        (found,) = await started_agent.process_batch([record])
    finally:
        await started_agent.close()
    return found


async def result(record: SimpleRecord, options: Mapping[str, Any], directory: Path) -> Record:
    found = await outcome(record, options, directory)
    assert not isinstance(found, Exception), found
    (only,) = found
    assert isinstance(only, Record)
    return only


@pytest.mark.parametrize("agent", ["query", "query-vector-db"])
@pytest.mark.parametrize("fact", FACTS.values(), ids=FACTS.keys())
async def test_what_is_stored(store: Store, tmp_path: Path, fact: Stored, agent: str) -> None:
    record = SimpleRecord(fact.value, "the key", [("h", "x")])
    found = await outcome(record, fact.options, tmp_path, agent)
    assert not isinstance(found, Exception), found
    (after,) = found
    assert (after.value(), after.key(), dict(after.headers())) == (fact.result, "the key", {"h": "x"})


@pytest.mark.parametrize(
    ("given", "left"), [('{"id":2}', '{"id":2,"r":[{"name":"two","price":102}]}'), ({"id": 2}, None)]
)
async def test_json_text_stays_json_text(store: Store, tmp_path: Path, given: Any, left: Any) -> None:
    """Q-30."""
    options = {**ROWS, **OUT}
    assert (await result(SimpleRecord(given), options, tmp_path)).value() == left or {"id": 2, "r": [TWO]}
    if left is not None:
        found = (await result(SimpleRecord(given.encode()), options, tmp_path)).value()
        assert found in (left, left.encode())


@pytest.mark.parametrize(
    ("place", "value", "key", "headers"),
    [
        ("value", [TWO], {"k": 1}, {}),
        ("key", {"id": 2}, [TWO], {}),
        ("key.r", {"id": 2}, {"k": 1, "r": [TWO]}, {}),
        ("value.deep", {"id": 2, "deep": [TWO]}, {"k": 1}, {}),
    ],
)
async def test_the_result_goes_where_it_is_to_go(
    store: Store, tmp_path: Path, place: str, value: Any, key: Any, headers: Any
) -> None:
    after = await result(SimpleRecord({"id": 2}, {"k": 1}), {**ROWS, "output-field": place}, tmp_path)
    assert (after.value(), after.key(), dict(after.headers())) == (value, key, headers)


async def test_a_header_takes_the_result_too(store: Store, tmp_path: Path) -> None:
    after = await result(SimpleRecord({"id": 2}), {**ROWS, "output-field": "properties.r"}, tmp_path)
    assert "two" in str(dict(after.headers())["r"])


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("plain text", {**ROWS, **OUT, "fields": ["1"]}),
        ({"l": "no list"}, {**LOOP, **OUT}),
        ({"id": 1}, {**ROWS, **OUT, "fields": []}),
        ({"id": 1}, {**ROWS, **OUT, "fields": ["1", "2"]}),
        ({"id": 1}, {**ROWS, **OUT, "query": "SELECT nothing FROM nowhere"}),
        ({"id": 1}, {**ROWS, **OUT, "when": "value.missing"}),  # as every condition that is null
    ],
    ids=["no object", "no list", "too few parameters", "too many parameters", "no such table", "null condition"],
)
async def test_what_fails_the_record(store: Store, tmp_path: Path, value: Any, options: Mapping[str, Any]) -> None:
    assert isinstance(await outcome(SimpleRecord(value), options, tmp_path), LangStreamError)


# --- vector-db-sink -------------------------------------------------------------------------------------------------

SINK: Final = {
    "datasource": "Db",
    "table-name": "docs",
    "fields": [
        {"name": "name", "expression": "key.name", "primary-key": True},
        {"name": "chunk_id", "expression": "key.chunk_id", "primary-key": "true"},
        {"name": "text", "expression": "value.text"},
        {"name": "vector", "expression": "fn:toListOfFloat(value.vector)"},
    ],
}
KEY: Final = {"name": "do'c1", "chunk_id": 1}


async def written(store: Store, directory: Path, *records: SimpleRecord) -> list[dict[str, Any]]:
    """The rows after these records."""
    await store.execute("CREATE TABLE docs (name string, chunk_id int, text string, vector floata)", ())
    sink = await started("vector-db-sink", SINK, directory)
    try:
        assert [await sink.write_batch([record]) for record in records] == [[None]] * len(records)
    finally:
        await sink.close()
    return await store.query("SELECT * FROM docs", ())


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ([{"text": "a", "vector": [1, 2]}], [("a", [1.0, 2.0])]),
        ([{"text": "a", "vector": ["1", 2]}, {"text": "b", "vector": [3]}], [("b", [3.0])]),
        (['{"text": "json", "vector": []}'], [("json", [])]),
        ([{"text": "a", "vector": [1]}, None], []),
        ([None], []),
        ([{"text": "a", "vector": [1]}, {}], [(None, None)]),
    ],
    ids=["K-2 inserted", "K-1 replaced", "json text", "K-3 deleted", "nothing to delete", "K-4 nulls"],
)
async def test_rows_of_records(store: Store, tmp_path: Path, values: list[Any], rows: list[Any]) -> None:
    found = await written(store, tmp_path, *(SimpleRecord(value, KEY) for value in values))
    assert found == [{**KEY, "text": text, "vector": vector} for text, vector in rows]
