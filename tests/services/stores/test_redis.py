"""What is Redis's own: commands, rows as hashes, and searching by comparing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from langstream.errors import ServiceError
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Store, Write
from langstream.services.stores.redis.configuration import RedisSinkConfiguration
from langstream.services.stores.redis.hashes import argument, read, written
from langstream.services.stores.redis.nearest import nearest
from langstream.services.stores.redis.queries import rows_of
from tests.services.stores.bench import fields
from tests.services.stores.redis_bench import RedisBench

SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)
VALUES = (
    st.text() | st.integers(-(2**53), 2**53) | st.booleans() | st.lists(SINGLE, min_size=1) | st.lists(st.text())
    | st.dictionaries(st.text(), st.integers(0, 9))
)  # fmt: skip


@pytest.fixture
async def store(redis_bench: RedisBench) -> AsyncIterator[Store]:
    opened = connect("Store", redis_bench.configuration(), None)
    await opened.start()
    await redis_bench.prepare(opened)
    yield opened
    await opened.close()


@given(st.dictionaries(st.text().filter(lambda name: name != "__types"), VALUES))
def test_a_row_comes_back_as_it_was(row: dict[str, Any]) -> None:
    fields = {name.encode(): value for name, value in written(row).items()}
    assert read(fields) == row


async def test_any_command_is_a_query(store: Store) -> None:
    assert await store.execute('{"command": ["RPUSH", "list", ?, ?]}', ["a b", 7]) == {"count": 2}
    assert await store.query('{"command": ["LRANGE", "list", 0, -1]}', []) == [{"value": "a b"}, {"value": "7"}]
    assert await store.query('{"command": ["GET", "nothing"]}', []) == []
    assert await store.execute('{"command": ["SET", "x", ?]}', ["'; FLUSHALL"]) == {"result": True}
    assert await store.query('{"command": ["GET", "x"]}', []) == [{"value": "'; FLUSHALL"}]


async def test_hashes_of_others_are_read_as_texts(store: Store) -> None:
    await store.execute('{"command": ["HSET", "docs:1", "text", "t", "year", 5]}', [])
    row = {"text": "t", "year": "5"}
    assert await store.query('{"command": ["HGETALL", "docs:1"]}', []) == [row]
    assert await store.query('{"collection-name": "docs", "id": "1"}', []) == [row]


async def test_rows_are_filtered_and_compared(store: Store) -> None:
    configuration = {"datasource": "Store", "collection-name": "do*cs", "fields": fields("id", "year")}
    table = store.table(RedisSinkConfiguration.model_validate(configuration))
    writes = [
        Write({"id": f"id{number}", "year": number % 2}, {"text": "t", "vector": [number, 1]}) for number in range(700)
    ]
    assert not any(await table.write(writes))
    await store.execute('{"command": ["HSET", "doXcs:1", "vector", "not mine"]}', [])
    query = '{"collection-name": "do*cs", "vector": ?, "metric": "dot-product", "filter": {"year": ?}, "limit": 3}'
    rows = await store.query(query, [[1, 0], 1])
    assert [(row["id"], row["year"], row["similarity"]) for row in rows] == [
        ("id699", 1, 699.0), ("id697", 1, 697.0), ("id695", 1, 695.0),
    ]  # fmt: skip
    everything = '{"collection-name": "do*cs", "filter": {"id": ["id1", "id5"]}, "output-fields": ["vector"]}'
    assert {tuple(row["vector"]) for row in await store.query(everything, [])} == {(1.0, 1.0), (5.0, 1.0)}
    with pytest.raises(ServiceError, match="has 3 numbers, those in the store have 2"):
        await store.query('{"collection-name": "do*cs", "vector": [1, 2, 3]}', [])


async def test_replacing_leaves_no_old_fields(store: Store) -> None:
    table = store.table(
        RedisSinkConfiguration.model_validate({"datasource": "Store", "collection-name": "docs", "fields": fields()})
    )
    await table.write([Write({"id": "a"}, {"text": "old", "year": 1, "vector": [1.5]})])
    await table.write([Write({"id": "a"}, {"text": "new", "year": None, "vector": None})])
    assert await store.query('{"collection-name": "docs", "id": "a"}', []) == [{"id": "a", "text": "new"}]


def test_replies_of_the_search_module_are_rows() -> None:
    reply = [2, b"docs:a", [b"text", b"one", b"distance", b"0.1"], b"docs:b", [b"text", b"two"]]
    assert rows_of(["FT.SEARCH"], reply) == [
        {"id": "docs:a", "text": "one", "distance": "0.1"}, {"id": "docs:b", "text": "two"},
    ]  # fmt: skip


def test_lists_of_numbers_are_packed_in_commands() -> None:
    assert argument([1, 0.5]) == b"\x00\x00\x80?\x00\x00\x00?"
    assert argument({"a": 1}) == b'{"a":1}'


def test_metrics_order_rows() -> None:
    rows: list[dict[str, Any]] = [
        {"id": 1, "vector": [2.0, 0.0]},
        {"id": 2, "vector": [1.0, 1.0]},
        {"id": 3},
        {"id": 4, "vector": [0.0, 0.0]},
    ]
    assert [row["id"] for row in nearest(rows, [1, 1], "vector", "cosine", 9)] == [2, 1, 4]
    found = nearest(rows, [0, 0], "vector", "euclidean", 2)
    assert [(row["id"], row["distance"]) for row in found] == [(4, 0.0), (2, pytest.approx(2**0.5))]


def test_a_sink_needs_a_key() -> None:
    options = {"datasource": "S", "collection-name": "c", "fields": [{"name": "text", "expression": "value.text"}]}
    with pytest.raises(ValidationError, match="primary-key: true"):
        RedisSinkConfiguration.model_validate(options)
