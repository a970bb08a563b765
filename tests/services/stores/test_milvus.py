"""What is Milvus's own: its options, queries, statements, and collections made by commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from langstream.errors import ServiceError
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Store, Write
from langstream.services.stores.milvus.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.milvus.configuration import MilvusConfiguration, MilvusSinkConfiguration
from langstream.services.stores.milvus.queries import literal, with_literals
from langstream.services.stores.milvus.store import MilvusStore
from tests.services.stores.bench import fields
from tests.services.stores.milvus_bench import CREATE, MilvusBench


@pytest.fixture
async def store(milvus_bench: MilvusBench) -> AsyncIterator[Store]:
    opened = connect("Store", milvus_bench.configuration(), None)
    await opened.start()
    await milvus_bench.prepare(opened)
    sink = MilvusSinkConfiguration.model_validate({"datasource": "Store", **milvus_bench.sink()})
    table = opened.table(sink)
    await table.start()
    rows = [(1.0, 0.0, 0.0), (0.9, 0.1, 0.0), (0.0, 1.0, 0.0)]
    writes = [
        Write({"id": f"id{number}"}, {"text": f"text {number}", "year": 2000 + number, "vector": list(vector)})
        for number, vector in enumerate(rows)
    ]
    assert not any(await table.write(writes))
    yield opened
    await opened.close()


async def test_rows_have_the_output_fields_the_id_and_the_distance(store: Store) -> None:
    query = '{"collection-name": "docs", "vectors": ?, "limit": 1, "output-fields": ["text"], "params": ""}'
    assert await store.query(query, [[1, 0, 0]]) == [{"id": "id0", "distance": pytest.approx(1.0), "text": "text 0"}]


@pytest.mark.parametrize("name", ["limit", "top-k", "topK"])
async def test_the_number_of_rows_has_several_names(store: Store, name: str) -> None:
    rows = await store.query(f'{{"collection-name": "docs", "vectors": ?, "{name}": 2}}', [[1, 0, 0]])
    assert [row["id"] for row in rows] == ["id0", "id1"]


async def test_filters_take_values_by_name(store: Store) -> None:
    query = (
        '{"collection-name": "docs", "vectors": ?, "filter": "year >= {year} and text != {text}", '
        '"filter-params": {"year": ?, "text": ?}}'
    )
    rows = await store.query(query, [[1, 0, 0], 2001, '" or year > 0 or text == "'])
    assert [row["id"] for row in rows] == ["id1", "id2"]


async def test_what_milvus_does_not_know_is_refused(store: Store) -> None:
    with pytest.raises(ServiceError, match="'limits' is unknown"):
        await store.query('{"collection-name": "docs", "vectors": [1, 0, 0], "limits": 2}', [])
    with pytest.raises(ServiceError, match="needs vectors, filter or ids"):
        await store.query('{"collection-name": "docs"}', [])


async def test_statements_change_rows(store: Store) -> None:
    data = {"id": "new", "text": "t", "year": 1, "vector": [0, 0, 1]}
    assert await store.execute('{"action": "upsert", "collection-name": "docs", "data": ?}', [data]) == {"count": 1}
    assert len(await store.query('{"collection-name": "docs", "ids": ["new"]}', [])) == 1
    await store.execute('{"action": "delete", "collection-name": "docs", "ids": [?]}', ["new"])
    assert await store.query('{"collection-name": "docs", "ids": ["new"]}', []) == []
    with pytest.raises(ServiceError, match="action"):
        await store.execute('{"collection-name": "docs", "vectors": [1, 0, 0]}', [])


async def test_delete_insert_replaces_too(store: Store, milvus_bench: MilvusBench) -> None:
    configuration = MilvusConfiguration.model_validate({**milvus_bench.configuration(), "write-mode": "delete-insert"})
    other = MilvusStore(configuration, None)
    await other.start()
    table = other.table(MilvusSinkConfiguration.model_validate({"datasource": "Store", **milvus_bench.sink()}))
    await table.start()
    assert await table.write([Write({"id": "id0"}, {"text": "new", "year": 1, "vector": [1.0, 0.0, 0.0]})]) == [None]
    await other.close()
    rows = await store.query('{"collection-name": "docs", "ids": ["id0"]}', [])
    assert [row["text"] for row in rows] == ["new"]


async def test_a_sink_without_the_primary_key_does_not_start(store: Store) -> None:
    options = {"datasource": "Store", "collection-name": "docs", "fields": fields()[1:]}
    with pytest.raises(ServiceError, match="the primary key 'id'"):
        await store.table(MilvusSinkConfiguration.model_validate(options)).start()


async def test_a_file_is_a_milvus_lite_with_a_simple_collection(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite")
    opened = MilvusStore(
        MilvusConfiguration.model_validate({"service": "milvus", "uri": str(tmp_path / "new" / "lite.db")}), None
    )
    await opened.start()
    command = {"command": "create-simple-collection", "dimension": 2, "auto-id": False}
    asset = collection(opened, [command], name="simple")
    assert not await asset.exists()
    await asset.create()
    assert await asset.exists()
    row = {"id": 7, "vector": [1, 0]}
    await opened.execute('{"action": "upsert", "collection-name": "simple", "data": ?}', [row])
    rows = await opened.query('{"collection-name": "simple", "vectors": [1, 0]}', [])
    assert rows == [{"id": 7, "distance": pytest.approx(1.0)}]
    await asset.delete()
    await asset.delete()
    assert not await asset.exists()
    await opened.close()


def collection(store: Any, commands: Any, name: str = "docs") -> CollectionAsset:
    configuration = {"datasource": "Store", "collection-name": name, "create-statements": commands}
    return CollectionAsset(CollectionConfiguration.model_validate(configuration), store)


async def test_a_half_made_collection_is_dropped_again(store: MilvusStore) -> None:
    await collection(store, CREATE).delete()
    broken = {**CREATE[1], "field-name": "nowhere"}
    asset = collection(store, [CREATE[0], broken])
    with pytest.raises(ServiceError):
        await asset.create()
    assert not await asset.exists()


async def test_commands_may_be_as_the_originals_client_has_them(store: MilvusStore) -> None:
    await collection(store, CREATE).delete()
    fields = [
        {"name": "id", "data-type": "Int64", "primary-key": True, "auto-i-d": False},
        {"name": "text", "data-type": "VarChar", "type-params": {"max_length": "20"}},
        {"name": "vector", "data-type": "FloatVector", "type-params": {"dim": "2"}},
    ]
    index = {"field-name": "vector", "index-type": "FLAT", "metric-type": "L2", "extra-param": "{}", "sync-mode": True}
    commands = [
        {"command": "create-collection", "collection-name": "docs", "shards-num": 1, "field-types": fields},
        {"command": "create-index", "collection-name": "docs", **index, "sync-waiting-timeout": 10},
        {"command": "load-collection"},
    ]
    asset = collection(store, commands)
    await asset.create()
    row = {"id": 1, "text": "a", "vector": [1, 0]}
    await store.execute('{"action": "upsert", "collection-name": "docs", "data": ?}', [row])
    query = '{"collection-name": "docs", "vectors": ?, "output-fields": ["text"], "consistency-level": "STRONG"}'
    assert await store.query(query, [[1, 0]]) == [{"id": 1, "distance": pytest.approx(0.0), "text": "a"}]
    await asset.delete()


async def test_commands_about_another_collection_are_refused(store: MilvusStore) -> None:
    with pytest.raises(ServiceError, match="about the collection docs, the asset about other"):
        await collection(store, CREATE, name="other").create()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("{}", "Command is empty"),
        ('{"command": "drop"}', "Unexpected command: drop"),
        ("no json", "is not JSON"),
        ('{"command": "create-index", "field": "x"}', "'field' is unknown"),
    ],
)
def test_commands_are_checked_when_the_application_is_planned(statement: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CollectionConfiguration.model_validate(
            {"datasource": "Store", "collection-name": "docs", "create-statements": [statement]}
        )


@pytest.mark.parametrize(
    ("options", "address", "credential"),
    [
        ({"host": "h"}, "http://h:19530", ""),
        ({"host": "h", "port": "1", "user": "u", "password": "p"}, "http://h:1", "u:p"),
        ({"host": "h", "username": "v", "password": "p"}, "http://h:19530", "v:p"),
        ({"host": "h", "url": "https://z", "token": "t"}, "https://z", "t"),
        ({"uri": "/tmp/x.db", "password": "p"}, "/tmp/x.db", ""),
    ],
)
def test_addresses_and_logins(options: dict[str, Any], address: str, credential: str) -> None:
    configuration = MilvusConfiguration.model_validate({"service": "milvus", **options})
    assert (configuration.address(), configuration.credential()) == (address, credential)


def test_an_address_is_required() -> None:
    with pytest.raises(ValidationError, match="one of host, url and uri"):
        MilvusConfiguration.model_validate({"service": "milvus"})


def test_literals_cannot_leave_their_quotes() -> None:
    assert with_literals('a == {x} and b == "{x}"', {"x": 'q"'}) == 'a == "q\\"" and b == "{x}"'
    assert literal(["a'", 1, True]) == '["a\'", 1, true]'
    with pytest.raises(ServiceError, match="not among filter-params"):
        with_literals("a == {y}", {"x": 1})
    with pytest.raises(ServiceError, match="type dict"):
        literal({})
