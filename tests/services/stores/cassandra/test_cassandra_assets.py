"""Keyspaces and tables as assets, on a real Cassandra."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.errors import ServiceError
from langstream.services.stores.cassandra.assets import (
    KeyspaceAsset,
    KeyspaceConfiguration,
    TableAsset,
    TableConfiguration,
)
from langstream.services.stores.cassandra.store import CqlStore
from langstream.services.stores.connection import connect
from tests.servers.cassandra import Cassandra
from tests.services.stores.cassandra.bench import resource

CREATE = "CREATE KEYSPACE Assets WITH REPLICATION = {'class': 'SimpleStrategy', 'replication_factor': 1}"


@pytest.fixture
async def store(cassandra_server: Cassandra) -> AsyncIterator[CqlStore]:
    opened = connect("C", resource(cassandra_server.port), None)
    assert isinstance(opened, CqlStore)
    await opened.start()
    yield opened
    await opened.execute("DROP KEYSPACE IF EXISTS assets", ())
    await opened.close()


def keyspace(store: CqlStore) -> KeyspaceAsset:
    options = {"datasource": "C", "keyspace": "Assets", "create-statements": CREATE}
    return KeyspaceAsset(
        KeyspaceConfiguration.model_validate({**options, "delete-statements": ["DROP KEYSPACE assets"]}), store
    )


def table(store: CqlStore, *statements: str, **options: Any) -> TableAsset:
    given = {
        "datasource": "C",
        "keyspace": "assets",
        "table-name": "Items",
        "create-statements": list(statements),
        "delete-statements": ["DROP TABLE items"],
        **options,
    }
    return TableAsset(TableConfiguration.model_validate(given), store)


async def test_a_keyspace_and_its_table_come_and_go(store: CqlStore) -> None:
    outer, inner = keyspace(store), table(store, "CREATE TABLE items (id text PRIMARY KEY)")
    with pytest.raises(ServiceError, match="type cassandra-keyspace"):
        await inner.exists()
    assert not await outer.exists()
    await outer.create()
    assert await outer.exists()
    assert not await inner.exists()
    await inner.create()  # unqualified names mean its keyspace
    assert await inner.exists()
    assert await store.query("SELECT id FROM assets.items", ()) == []
    await inner.create()  # made by a neighbour in the meantime: no harm
    for asset in (inner, inner, outer, outer):
        await asset.delete()
    assert not await outer.exists()


async def test_a_half_made_table_is_removed_again(store: CqlStore) -> None:
    await keyspace(store).create()
    asset = table(store, "CREATE TABLE items (id text PRIMARY KEY)", "NONSENSE")
    with pytest.raises(ServiceError, match=r"create statement 2 of table assets\.items"):
        await asset.create()
    assert not await asset.exists()


async def test_statements_that_make_something_else_are_told(store: CqlStore) -> None:
    await keyspace(store).create()
    with pytest.raises(ServiceError, match=r"did not create table assets\.items"):
        await table(store, "CREATE TABLE others (id text PRIMARY KEY)").create()
