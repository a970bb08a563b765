"""What is Pinecone's own: addresses, namespaces, metadata, statements, and the index as an asset."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from langstream.errors import ServiceError
from langstream.records import SimpleRecord
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Store
from langstream.services.stores.pinecone.assets import IndexAsset, IndexConfiguration
from langstream.services.stores.pinecone.configuration import PineconeConfiguration, PineconeSinkConfiguration
from langstream.services.stores.pinecone.store import PineconeStore
from tests.services.stores.pinecone_bench import PineconeBench
from tests.services.stores.test_store_contract import started_sink

BASE = {"service": "pinecone", "api-key": "k", "index-name": "docs"}


@pytest.fixture
async def store(pinecone_bench: PineconeBench) -> AsyncIterator[Store]:
    opened = connect("Store", pinecone_bench.configuration(), None)
    await opened.start()
    await pinecone_bench.prepare(opened)
    yield opened
    await opened.close()


async def upserted(store: Store, *vectors: dict[str, Any], namespace: str = "") -> None:
    query = '{"action": "upsert", "vectors": ?, "namespace": ?}'
    assert await store.execute(query, [list(vectors), namespace]) == {"count": len(vectors)}


async def test_metadata_keep_their_types_and_rows_their_score(store: Store) -> None:
    await upserted(store, {"id": "a", "values": [1, 0, 0], "metadata": {"year": 2019, "ok": True, "tags": ["x", "y"]}})
    rows = await store.query('{"vector": ?, "topK": 5, "includeValues": true}', [[1, 0, 0]])
    metadata = {"year": 2019, "ok": True, "tags": ["x", "y"]}
    assert rows == [{**metadata, "id": "a", "similarity": pytest.approx(1.0), "vector": [1, 0, 0]}]


async def test_filters_are_bound(store: Store) -> None:
    await upserted(
        store,
        {"id": "a", "values": [1, 0, 0], "metadata": {"genre": 'x"}', "year": 2019}},
        {"id": "b", "values": [1, 0, 0], "metadata": {"genre": "y", "year": 2019}},
    )
    query = '{"vector": [1, 0, 0], "topK": 5, "filter": {"$and": [{"genre": ?}, {"year": ?}]}}'
    assert [row["id"] for row in await store.query(query, ['x"}', 2019])] == ["a"]


async def test_statements_change_vectors(store: Store) -> None:
    await upserted(store, {"id": "a", "values": [1, 0, 0]}, {"id": "b", "values": [1, 0, 0]}, namespace="n")
    assert await store.query('{"ids": ["a"]}', []) == []
    update = '{"action": "update", "id": "a", "setMetadata": {"genre": ?}, "namespace": "n"}'
    assert await store.execute(update, ["jazz"]) == {"count": 1}
    assert await store.query('{"ids": ["a"], "namespace": "n"}', []) == [{"id": "a", "genre": "jazz"}]
    assert await store.execute('{"action": "delete", "ids": [?], "namespace": "n"}', ["a"]) == {"count": 1}
    assert await store.execute('{"action": "delete", "deleteAll": true, "namespace": "n"}', []) == {}
    assert await store.query('{"ids": ["a", "b"], "namespace": "n"}', []) == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ('{"vector": [1, 0, 0], "top_k": 5}', "'top_k' is unknown"),
        ('{"topK": 5}', "vector, sparseVector, id or ids"),
        ('{"vector": ["x"]}', "vector"),
    ],
)
async def test_queries_are_checked_before_they_are_sent(store: Store, query: str, words: str) -> None:
    with pytest.raises(ServiceError, match=words) as caught:
        await store.query(query, [])
    assert not caught.value.retryable


async def test_records_go_to_the_namespace_that_they_name(pinecone_bench: PineconeBench, store: Store) -> None:
    bench = pinecone_bench
    options = {
        "vector.id": "key.id",
        "vector.vector": "value.vector",
        "vector.namespace": "key.tenant",
        "vector.metadata": {"genre": "value.genre", "year": "value.year"},
    }
    bench.sink = lambda: options  # type: ignore[method-assign]
    sink = await started_sink(bench, bench.configuration())
    value = '{"vector": [1, "0", 0], "genre": "jazz", "year": null}'
    records = [SimpleRecord(value, f'{{"id": "a", "tenant": {tenant}}}') for tenant in ('"x"', '"y"', "null")]
    assert await sink.agent.write_batch(records) == [None] * 3
    vectors = {"id": "a", "values": [1.0, 0.0, 0.0], "metadata": {"genre": "jazz"}}
    assert bench.server.vectors == {name: {"a": vectors} for name in ("x", "y", "")}
    assert await sink.agent.write_batch([SimpleRecord(None, '{"id": "a", "tenant": "x"}')]) == [None]
    assert bench.server.vectors["x"] == {}
    await sink.agent.close()


async def test_an_index_is_an_asset(pinecone_bench: PineconeBench, store: Store) -> None:
    assert isinstance(store, PineconeStore)
    configuration = {"datasource": "Store", "name": "other", "dimension": 8, "metric": "dotproduct", "cloud": "gcp"}
    asset = IndexAsset(IndexConfiguration.model_validate(configuration), store)
    assert not await asset.exists()
    await asset.create()
    assert await asset.exists()
    made = pinecone_bench.server.indexes["other"]
    assert (made["dimension"], made["metric"], made["spec"]["serverless"]["cloud"]) == (8, "dotproduct", "gcp")
    await asset.delete()
    await asset.delete()
    assert not await asset.exists()


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({}, None),
        ({"environment": "env", "project-name": "p"}, "https://docs-p.svc.env.pinecone.io"),
        ({"environment": "env", "project-name": "p", "endpoint": "http://here"}, "http://here"),
        ({"server-side-timeout-sec": "5"}, None),
    ],
)
def test_addresses_of_old_and_new_indexes(options: dict[str, Any], address: str | None) -> None:
    assert PineconeConfiguration.model_validate({**BASE, **options}).known_address() == address


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vector.id": "key.id"}, "vector.vector"),
        ({"vector.id": "key.id", "vector.vector": "value.v", "vectors.metadata.x": "value.x"}, "unknown"),
        ({"vector.id": "key.id", "vector.vector": "value.v", "vector.metadata.x": "value.("}, "vector.metadata.x"),
    ],
)
def test_what_a_sink_cannot_do_without_is_told_when_planning(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        PineconeSinkConfiguration.model_validate({"datasource": "Store", **options})
