"""The index as an asset, and statements, on a real OpenSearch."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.errors import ServiceError
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Write
from langstream.services.stores.opensearch.assets import IndexAsset, IndexConfiguration
from langstream.services.stores.opensearch.configuration import OpenSearchSinkConfiguration
from langstream.services.stores.opensearch.store import OpenSearchStore
from tests.servers.opensearch import OpenSearch


@pytest.fixture
async def store(opensearch_server: OpenSearch) -> AsyncIterator[OpenSearchStore]:
    configuration = {"service": "opensearch", "host": "127.0.0.1", "https": "false", "port": opensearch_server.port}
    opened = connect("O", {**configuration, "index-name": "made"}, None)
    assert isinstance(opened, OpenSearchStore)
    await opened.start()
    yield opened
    await asset(opened).delete()
    await opened.close()


def asset(store: OpenSearchStore, **options: Any) -> IndexAsset:
    return IndexAsset(IndexConfiguration.model_validate({"datasource": "O", **options}), store)


SETTINGS = '{"index": {"number_of_shards": 1, "number_of_replicas": 0}}'


async def test_an_index_comes_and_goes(store: OpenSearchStore) -> None:
    made = asset(store, settings=SETTINGS, mappings='{"properties": {"n": {"type": "integer"}}}')
    assert not await made.exists()
    await made.create()
    await made.create()  # a neighbour was faster: no harm
    assert await made.exists()
    mapping = await store.client.get("/made/_mapping")
    assert mapping["made"]["mappings"] == {"properties": {"n": {"type": "integer"}}}
    await made.delete()
    await made.delete()
    assert not await made.exists()


async def test_settings_that_the_server_refuses_are_told(store: OpenSearchStore) -> None:
    with pytest.raises(ServiceError, match="refused the index") as caught:
        await asset(store, mappings='{"properties": {"n": {"type": "nonsense"}}}').create()
    assert not caught.value.retryable


@pytest.mark.parametrize("settings", ["{", "[]", {"index": {}}])
def test_settings_are_the_text_of_an_object(settings: Any) -> None:
    with pytest.raises(ValueError, match="settings"):
        IndexConfiguration.model_validate({"datasource": "O", "settings": settings})


async def test_statements_change_documents(store: OpenSearchStore) -> None:
    async def run(**statement: Any) -> Any:
        return await store.execute(json.dumps({**statement, "refresh": "true"}), ())

    async def texts() -> list[str]:
        rows = await store.query('{"query": {"match_all": {}}, "sort": [{"n": "asc"}]}', ())
        return [row["document"]["text"] for row in rows]

    await asset(store, settings=SETTINGS).create()
    assert await run(action="index", id="a/b", document={"n": 1, "text": "one"}) == {"count": 1, "id": "a/b"}
    made = await run(action="index", document={"n": 2, "text": "two"})
    assert made["count"] == 1
    assert await run(action="update", id="a/b", document={"text": "ONE"}) == {"count": 1, "id": "a/b"}
    assert await texts() == ["ONE", "two"]
    script = "ctx._source.text += '!'"
    query = {"range": {"n": {"gte": 2}}}
    assert await run(action="update-by-query", query=query, script=script) == {"count": 1}
    assert await texts() == ["ONE", "two!"]
    assert await run(action="delete-by-query", query=query) == {"count": 1}
    assert await run(action="delete", id="a/b") == {"count": 1}
    assert await run(action="delete", id="a/b") == {"count": 0}
    assert await texts() == []


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ('{"query": {"match_all": {}}}', "'action' is required"),
        ('{"action": "delete"}', "the action delete needs id"),
        ('{"action": "delete-by-query", "query": {}, "all": true}', "'all' is unknown"),
    ],
)
async def test_a_statement_that_says_too_little_is_refused(store: OpenSearchStore, statement: str, reason: str) -> None:
    with pytest.raises(ServiceError, match=reason):
        await store.execute(statement, ())


async def test_a_document_without_id_is_written_once(store: OpenSearchStore) -> None:
    await asset(store, settings=SETTINGS).create()
    options = {"datasource": "O", "fields": [{"name": "a", "expression": "value"}]}
    configuration = OpenSearchSinkConfiguration.model_validate(options | {"bulk-parameters": {"refresh": "true"}})
    assert [column.generated for column in configuration.columns()] == [True, False]
    for _ in range(2):
        await store.table(configuration).write([Write({"_id": "made-up"}, {"a": [1.0, 2.0]})])
    (row,) = await store.query('{"query": {"match_all": {}}}', ())
    assert row["document"] == {"a": [1.0, 2.0]}
