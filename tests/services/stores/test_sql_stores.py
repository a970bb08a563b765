"""The contract of SQL stores, kept by every engine."""

from __future__ import annotations

from typing import Any

import pytest

from langstream.errors import ServiceError
from langstream.services.stores.contract import Store, Write
from langstream.services.stores.jdbc.assets import TableAsset, TableConfiguration
from langstream.services.stores.jdbc.configuration import JdbcSinkConfiguration
from langstream.services.stores.jdbc.store import JdbcStore


async def planets(store: Store) -> None:
    await store.execute("CREATE TABLE planets (name varchar(40) PRIMARY KEY, moons int)", ())
    for name, moons in (("mars", 2), ("earth", 1), ("venus", 0)):
        await store.execute("INSERT INTO planets (name, moons) VALUES (?, ?)", (name, moons))


async def test_a_query_gives_rows_as_dicts(store: Store) -> None:
    await planets(store)
    rows = await store.query("SELECT name, moons FROM planets WHERE moons >= ? ORDER BY moons", [1])
    assert rows == [{"name": "earth", "moons": 1}, {"name": "mars", "moons": 2}]


async def test_a_query_without_rows_gives_an_empty_list(store: Store) -> None:
    await planets(store)
    assert await store.query("SELECT name FROM planets WHERE moons > ?", [99]) == []


async def test_executing_counts_the_rows_changed(store: Store) -> None:
    await planets(store)
    assert await store.execute("UPDATE planets SET moons = ? WHERE moons < ?", [5, 2]) == {"count": 2}
    assert await store.execute("UPDATE planets SET moons = ? WHERE name = ?", [5, "pluto"]) == {"count": 0}


async def test_values_are_bound_and_never_become_syntax(store: Store) -> None:
    await planets(store)
    nasty = "it's; DROP TABLE planets; -- ?"
    await store.execute("INSERT INTO planets (name, moons) VALUES (?, 7)", [nasty])
    assert await store.query("SELECT name FROM planets WHERE name = ? AND '?' = '?'", [nasty]) == [{"name": nasty}]


async def test_a_refused_statement_is_no_reason_to_try_again(store: Store) -> None:
    with pytest.raises(ServiceError, match="nowhere") as caught:
        await store.query("SELECT * FROM nowhere", [])
    assert caught.value.retryable is False


async def test_too_few_parameters_are_refused(store: Store) -> None:
    await planets(store)
    with pytest.raises(ServiceError) as caught:
        await store.query("SELECT name FROM planets WHERE name = ? AND moons = ?", ["mars"])
    assert caught.value.category == "refused"


async def test_generated_keys_are_returned(store: Store) -> None:
    await planets(store)
    result = await store.execute("INSERT INTO planets (name, moons) VALUES (?, ?)", ["io", 0], ["name"])
    assert result == {"count": 1, "generatedKeys": {"name": "io"}}


def sink(**changes: Any) -> JdbcSinkConfiguration:
    fields = [
        {"name": "name", "expression": "key.name", "primary-key": True},
        {"name": "moons", "expression": "value.moons"},
    ]
    return JdbcSinkConfiguration.model_validate(
        {"datasource": "Db", "table-name": "planets", "fields": fields, **changes}
    )


async def test_a_row_is_inserted_replaced_and_deleted_by_its_key(store: Store) -> None:
    await planets(store)
    table = store.table(sink())
    assert list(await table.write([Write({"name": "io"}, {"moons": 0})])) == [None]
    assert list(await table.write([Write({"name": "io"}, {"moons": 3}), Write({"name": "mars"}, None)])) == [None, None]
    rows = await store.query("SELECT name, moons FROM planets ORDER BY name", [])
    assert rows == [{"name": "earth", "moons": 1}, {"name": "io", "moons": 3}, {"name": "venus", "moons": 0}]


async def test_the_same_key_twice_in_a_batch_ends_with_the_later_row(store: Store) -> None:
    await planets(store)
    await store.table(sink()).write([Write({"name": "io"}, {"moons": 1}), Write({"name": "io"}, {"moons": 2})])
    assert await store.query("SELECT moons FROM planets WHERE name = 'io'", []) == [{"moons": 2}]


async def test_one_bad_row_does_not_fail_its_neighbours(store: Store) -> None:
    await store.execute("CREATE TABLE planets (name varchar(40) PRIMARY KEY, moons int CHECK (moons >= 0))", ())
    writes = [
        Write({"name": "a"}, {"moons": 1}),
        Write({"name": "b"}, {"moons": -1}),
        Write({"name": "c"}, {"moons": 3}),
    ]
    good, bad, also_good = await store.table(sink()).write(writes)
    assert (good, also_good) == (None, None)
    assert isinstance(bad, ServiceError)
    assert await store.query("SELECT name FROM planets ORDER BY name", []) == [{"name": "a"}, {"name": "c"}]


async def test_a_table_asset_is_created_once_and_deleted(store: JdbcStore) -> None:
    configuration = TableConfiguration.model_validate(
        {
            "datasource": "Db",
            "table-name": "Moons",
            "create-statements": ["CREATE TABLE moons (id int)", "INSERT INTO moons VALUES (1)"],
            "delete-statements": ["DROP TABLE moons"],
        }
    )
    asset = TableAsset(configuration, store)
    assert not await asset.exists()
    await asset.create()
    assert await asset.exists()
    await asset.delete()
    await asset.delete()
    assert not await asset.exists()


async def test_a_half_made_table_is_removed_again(store: JdbcStore) -> None:
    configuration = TableConfiguration.model_validate(
        {"datasource": "Db", "table-name": "moons", "create-statements": ["CREATE TABLE moons (id int)", "NONSENSE"]}
    )
    asset = TableAsset(configuration, store)
    with pytest.raises(ServiceError, match="create statement 2 of table moons"):
        await asset.create()
    assert not await asset.exists()
