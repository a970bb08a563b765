"""Many rows in one statement: DuckDB's tables with and without constraints, and values of all kinds in one batch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Store, Write
from langstream.services.stores.jdbc.configuration import JdbcSinkConfiguration
from langstream.services.stores.jdbc.many_rows import ManyRows, alike
from langstream.services.stores.jdbc.table import JdbcTable

FIELDS = [
    {"name": "id", "expression": "key", "primary-key": True},
    {"name": "text", "expression": "value.text"},
    {"name": "vector", "expression": "value.vector"},
]
CONSTRAINTS = {
    "primary key": "CREATE TABLE docs (id VARCHAR PRIMARY KEY, text VARCHAR, vector FLOAT[], more INT DEFAULT 7)",
    "unique": "CREATE TABLE docs (id VARCHAR UNIQUE, text VARCHAR, vector FLOAT[], more INT DEFAULT 7)",
    "none": "CREATE TABLE docs (id VARCHAR, text VARCHAR, vector FLOAT[], more INT DEFAULT 7)",
}
VALUES = st.none() | st.integers(-5, 5) | st.floats(allow_nan=False, width=32) | st.text(max_size=3) | st.booleans()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A DuckDB."""
    opened = connect("Db", {"service": "jdbc", "url": f"jdbc:duckdb:{tmp_path}/rows.db"}, tmp_path)
    await opened.start()
    yield opened
    await opened.close()


def table(store: Store) -> JdbcTable:
    options = {"datasource": "Db", "table-name": "docs", "fields": FIELDS}
    made = store.table(JdbcSinkConfiguration.model_validate(options))
    assert isinstance(made, JdbcTable)
    return made


def write(id: Any, text: Any, vector: Any = None) -> Write:
    return Write({"id": id}, {"text": text, "vector": vector})


@pytest.mark.parametrize("constraint", CONSTRAINTS)
async def test_rows_are_replaced_whatever_the_table_says_of_its_key(store: Store, constraint: str) -> None:
    await store.execute(CONSTRAINTS[constraint], ())
    target = table(store)
    assert not any(await target.write([write(f"{n}", "old", [n, 0.5]) for n in range(50)]))
    assert isinstance(target._rows, ManyRows) is (constraint != "none")
    await store.execute("UPDATE docs SET more = 8", ())
    assert not any(await target.write([write("7", "new", [1, 2]), Write({"id": "8"}, None), write("new", None)]))
    found = await store.query("SELECT * FROM docs WHERE id IN ('7', '8', 'new') ORDER BY id", ())
    assert found == [
        {"id": "7", "text": "new", "vector": [1.0, 2.0], "more": 8},
        {"id": "new", "text": None, "vector": None, "more": 7},
    ]
    assert await store.query("SELECT count(*) AS n FROM docs", ()) == [{"n": 50}]


async def test_a_value_does_not_depend_on_its_company(store: Store) -> None:
    await store.execute(CONSTRAINTS["primary key"], ())
    texts = [5, 1.5, "x", True, None, {"a": 1}, {"b": [2]}, [1, 2], [1.5], [], [[1], [2]], "5"]
    alone = table(store)
    for place, text in enumerate(texts):
        assert not any(await alone.write([write(f"alone-{place:02}", text)]))
    assert not any(await table(store).write([write(f"together-{place:02}", text) for place, text in enumerate(texts)]))
    found = [row["text"] for row in await store.query("SELECT text FROM docs ORDER BY id", ())]
    assert found[: len(texts)] == found[len(texts) :]


async def test_keys_that_the_database_takes_for_one_are_written_in_order(store: Store) -> None:
    await store.execute(CONSTRAINTS["primary key"], ())
    assert not any(await table(store).write([write("0", "x"), write(1, "old"), write("1", "new"), write(2, "y")]))
    found = await store.query("SELECT id, text FROM docs ORDER BY id", ())
    assert [(row["id"], row["text"]) for row in found] == [("0", "x"), ("1", "new"), ("2", "y")]


async def test_a_bad_row_fails_alone_and_leaves_its_old_content(store: Store) -> None:
    await store.execute(
        "CREATE TABLE docs (id VARCHAR PRIMARY KEY, text VARCHAR CHECK (text <> 'bad'), vector FLOAT[])", ()
    )
    target = table(store)
    assert not any(await target.write([write(f"{n}", "old") for n in range(9)]))
    outcomes = await target.write([write(f"{n}", "bad" if n == 4 else "new") for n in range(9)])
    assert [place for place, outcome in enumerate(outcomes) if outcome] == [4]
    found = await store.query("SELECT id, text FROM docs ORDER BY id", ())
    assert [row["text"] for row in found] == ["new"] * 4 + ["old"] + ["new"] * 4


async def test_columns_of_other_indexes_can_be_written(store: Store) -> None:
    await store.execute(CONSTRAINTS["primary key"], ())
    await store.execute("CREATE INDEX texts ON docs (text)", ())
    for text in ("old", "new"):
        assert not any(await table(store).write([write(f"{n}", text) for n in range(5)]))
    assert await store.query("SELECT DISTINCT text FROM docs", ()) == [{"text": "new"}]


async def test_a_table_made_later_is_found(store: Store) -> None:
    target = table(store)
    assert all(await target.write([write("a", "x")]))
    await store.execute(CONSTRAINTS["primary key"], ())
    assert not any(await target.write([write("a", "x")]))


@given(
    st.lists(st.lists(VALUES | st.lists(VALUES, max_size=3), min_size=2, max_size=2), max_size=30), st.integers(1, 5)
)
def test_groups_hold_every_row_once_and_only_like_ones(rows: list[list[Any]], most: int) -> None:
    groups = list(alike(rows, most))
    assert sorted(id(row) for group in groups for row in group) == sorted(map(id, rows))
    for group in groups:
        assert 1 <= len(group) <= most
        for column in zip(*group, strict=True):
            assert len({type(value) for value in column}) == 1
