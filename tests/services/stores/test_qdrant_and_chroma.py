"""What is Qdrant's and Chroma's own: ids, queries, statements, collections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from langstream.errors import ServiceError
from langstream.services.stores.chroma.assets import CollectionAsset as ChromaAsset
from langstream.services.stores.chroma.assets import CollectionConfiguration as ChromaCollection
from langstream.services.stores.chroma.configuration import ChromaSinkConfiguration
from langstream.services.stores.chroma.store import ChromaStore
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Write
from langstream.services.stores.qdrant.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.qdrant.configuration import QdrantSinkConfiguration
from langstream.services.stores.qdrant.points import id_of, point, point_id
from langstream.services.stores.qdrant.store import QdrantStore
from tests.services.stores.bench import StoreBench, fields
from tests.services.stores.chroma_bench import ChromaBench
from tests.services.stores.qdrant_bench import QdrantBench

ROWS: list[dict[str, Any]] = [
    {"id": "a", "text": "one", "year": 2019, "vector": [1.0, 0.0, 0.0]},
    {"id": "b", "text": "two", "year": 2020, "vector": [0.9, 0.1, 0.0]},
    {"id": "c", "text": "three", "year": 2021, "vector": [0.0, 1.0, 0.0]},
]


async def opened(bench: StoreBench, sink: Any) -> Any:
    store = connect("Store", bench.configuration(), None)
    await store.start()
    await bench.prepare(store)
    table = store.table(sink.model_validate({"datasource": "Store", **bench.sink()}))
    writes = [Write({"id": row["id"]}, {name: row[name] for name in ("text", "year", "vector")}) for row in ROWS]
    assert not any(await table.write(writes))
    return store


@pytest.fixture
async def qdrant(qdrant_bench: QdrantBench) -> AsyncIterator[QdrantStore]:
    store = await opened(qdrant_bench, QdrantSinkConfiguration)
    yield store
    await store.close()


@pytest.fixture
async def chroma(chroma_bench: ChromaBench) -> AsyncIterator[ChromaStore]:
    store = await opened(chroma_bench, ChromaSinkConfiguration)
    yield store
    await store.close()


@given(st.integers() | st.text() | st.uuids().map(str) | st.lists(st.text() | st.integers()))
def test_every_key_has_one_id_that_qdrant_takes(key: Any) -> None:
    id = point_id(key)
    assert id == point_id(key)
    assert id in range(2**64) if isinstance(id, int) else UUID(id)


def test_numbers_and_uuids_stay_and_different_keys_differ() -> None:
    assert point_id(7) == 7
    assert point_id("6F1C2F4E-3D0B-5A37-9A53-6D2B1F0F7B57") == "6f1c2f4e-3d0b-5a37-9a53-6d2b1f0f7b57"
    keys: list[Any] = [1, "1", -1, "a", ["a"], ["a", "b"], ["b", "a"], True]
    assert len({point_id(key) for key in keys}) == len(keys)
    assert id_of({"id": 7}) == 7


def test_vectors_may_have_a_name() -> None:
    made = point({"id": 1}, {"v": [1.0], "text": None}, "v", "dense")
    assert made == {"id": 1, "vector": {"dense": [1.0]}, "payload": {"id": 1}}


async def test_qdrant_filters_and_tells_how_near(qdrant: QdrantStore) -> None:
    query = (
        '{"collection-name": "docs", "vector": ?, "filter": {"must": [{"key": "year", "range": {"gte": ?}}]}, '
        '"limit": 1, "with-payload": ["text", "id"]}'
    )
    (row,) = await qdrant.query(query, [[1, 0, 0], 2020])
    assert (row["id"], row["text"]) == ("b", "two")
    assert 0.9 < row["similarity"] < 1


async def test_qdrant_scrolls_by_a_filter(qdrant: QdrantStore) -> None:
    query = '{"collection-name": "docs", "filter": {"must": [{"key": "text", "match": {"value": ?}}]}}'
    assert [row["id"] for row in await qdrant.query(query, ["three"])] == ["c"]
    assert await qdrant.query(query, ['three"}']) == []


async def test_qdrant_executes_statements(qdrant: QdrantStore) -> None:
    points = [{"id": "d", "vector": [0, 0, 1], "payload": {"id": "d"}}]
    upsert = '{"collection-name": "docs", "action": "upsert", "points": ?}'
    assert await qdrant.execute(upsert, [points]) == {"count": 1}
    payload = '{"collection-name": "docs", "action": "set-payload", "ids": ["d"], "payload": {"lang": ?}}'
    assert await qdrant.execute(payload, ["en"]) == {"count": 1}
    assert await qdrant.query('{"collection-name": "docs", "ids": ["d"]}', []) == [{"id": "d", "lang": "en"}]
    await qdrant.execute('{"collection-name": "docs", "action": "delete", "ids": ["d"]}', [])
    assert await qdrant.query('{"collection-name": "docs", "ids": ["d"]}', []) == []
    with pytest.raises(ServiceError, match="delete needs ids or filter"):
        await qdrant.execute('{"collection-name": "docs", "action": "delete"}', [])


async def test_a_missing_qdrant_collection_is_told(qdrant: QdrantStore) -> None:
    with pytest.raises(ServiceError, match="nowhere") as caught:
        await qdrant.query('{"collection-name": "nowhere", "vector": [1, 0, 0]}', [])
    assert caught.value.category == "not-found"


async def test_a_qdrant_collection_is_an_asset(qdrant: QdrantStore) -> None:
    options = {"datasource": "Store", "collection-name": "new", "settings": {"vectors": {"size": 2, "distance": "Dot"}}}
    asset = CollectionAsset(
        CollectionConfiguration.model_validate({**options, "payload-indexes": {"year": "integer"}}), qdrant
    )
    assert not await asset.exists()
    await asset.create()
    assert await asset.exists()
    await asset.delete()
    await asset.delete()
    assert not await asset.exists()
    with pytest.raises(ValidationError, match="either vector-dimension or settings"):
        CollectionConfiguration.model_validate({**options, "vector-dimension": 3})


async def test_chroma_filters_and_tells_how_far(chroma: ChromaStore) -> None:
    query = (
        '{"collection-name": "docs", "vector": ?, "where": {"year": {"$gte": ?}}, "limit": 1, "include-vectors": true}'
    )
    (row,) = await chroma.query(query, [[1, 0, 0], 2020])
    assert (row["id"], row["text"], row["vector"]) == ("b", "two", pytest.approx([0.9, 0.1, 0.0]))
    assert 0 < row["distance"] < 0.1


async def test_chroma_deletes_by_statement(chroma: ChromaStore) -> None:
    await chroma.execute('{"collection-name": "docs", "action": "delete", "where": {"text": ?}}', ["two"])
    rows = await chroma.query('{"collection-name": "docs", "limit": 9}', [])
    assert sorted(row["id"] for row in rows) == ["a", "c"]


async def test_a_field_that_became_null_is_gone_from_chroma(chroma: ChromaStore) -> None:
    table = chroma.table(
        ChromaSinkConfiguration.model_validate({"datasource": "S", "collection-name": "docs", "fields": fields()})
    )
    await table.write([Write({"id": "a"}, {"text": "new", "year": None, "vector": [1.0, 0.0, 0.0]})])
    rows = await chroma.query('{"collection-name": "docs", "ids": ["a"]}', [])
    assert [{name: value for name, value in row.items() if value is not None} for row in rows] == [
        {"id": "a", "text": "new"}
    ]


async def test_a_chroma_collection_made_anew_is_found_again(chroma: ChromaStore, chroma_bench: ChromaBench) -> None:
    await chroma_bench.prepare(chroma)  # another collection of the same name: paths with the old id lead nowhere
    assert await chroma.query('{"collection-name": "docs", "limit": 9}', []) == []


async def test_documents_are_chromas_own(chroma: ChromaStore) -> None:
    names = [*fields(), {"name": "document", "expression": "value.text"}]
    table = chroma.table(
        ChromaSinkConfiguration.model_validate({"datasource": "S", "collection-name": "docs", "fields": names})
    )
    values = {"text": "t", "year": 1, "vector": [1.0, 0.0, 0.0], "document": "parrots of the world"}
    assert await table.write([Write({"id": "p"}, values)]) == [None]
    query = '{"collection-name": "docs", "where-document": {"$contains": ?}}'
    assert [row["document"] for row in await chroma.query(query, ["parrots"])] == ["parrots of the world"]


async def test_a_chroma_collection_is_an_asset(chroma: ChromaStore) -> None:
    options = {"datasource": "Store", "collection-name": "other", "distance": "l2", "metadata": {"owner": "me"}}
    asset = ChromaAsset(ChromaCollection.model_validate(options), chroma)
    await asset.delete()
    assert not await asset.exists()
    await asset.create()
    assert await asset.exists()
    await asset.delete()
    assert not await asset.exists()
