"""Vectors in SQL: the functions of the original's embedded database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import sqrt
from pathlib import Path

import pytest

from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Store
from langstream.services.stores.jdbc.vectors import pack, unpack


@pytest.fixture(params=["herddb:local", "sqlite:{}/v.db", "duckdb:{}/v.db"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = "jdbc:" + request.param.format(tmp_path)
    opened = connect("Db", {"service": "jdbc", "url": url}, tmp_path)
    await opened.start()
    await opened.execute("CREATE TABLE docs (name string, vec floata, PRIMARY KEY (name))", ())
    for name, vector in (("east", [1, 0]), ("north", [0, 1]), ("north-east", [0.7, 0.7])):
        await opened.execute("INSERT INTO docs (name, vec) VALUES (?, ?)", [name, vector])
    yield opened
    await opened.close()


async def test_rows_are_ordered_by_cosine_similarity(store: Store) -> None:
    statement = "SELECT name FROM docs ORDER BY cosine_similarity(vec, CAST(? as FLOAT ARRAY)) DESC"
    rows = await store.query(statement, [[0.1, 1.0]])
    assert [row["name"] for row in rows] == ["north", "north-east", "east"]


async def test_similarities_are_those_of_geometry(store: Store) -> None:
    statement = (
        "SELECT cosine_similarity(vec, CAST(? AS FLOAT ARRAY)) AS c, dot_product(vec, CAST(? AS FLOAT ARRAY)) AS d, "
        "euclidean_distance(vec, CAST(? AS FLOAT ARRAY)) AS e FROM docs WHERE name = 'north-east'"
    )
    (row,) = await store.query(statement, [[2, 0]] * 3)
    assert row["c"] == pytest.approx(1 / sqrt(2), abs=1e-5)
    assert row["d"] == pytest.approx(1.4, abs=1e-5)
    assert row["e"] == pytest.approx(sqrt(1.3**2 + 0.7**2), abs=1e-5)


async def test_vectors_come_out_as_lists(store: Store) -> None:
    (row,) = await store.query("SELECT vec FROM docs WHERE name = 'east'", [])
    assert row == {"vec": [1.0, 0.0]}


async def test_numbers_in_text_columns_stay_text(store: Store) -> None:
    await store.execute("INSERT INTO docs (name, vec) VALUES (?, ?)", ["007", None])
    assert await store.query("SELECT name, vec FROM docs WHERE name = '007'", []) == [{"name": "007", "vec": None}]


def test_packing_keeps_single_precision() -> None:
    assert unpack(pack([0.5, -2, 3])) == [0.5, -2.0, 3.0]
