"""What goes over the wire to the Data API: pages, statements, collections, errors."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.configuration.validation import check
from langstream.errors import ServiceError
from langstream.services.stores.astra_vector_db import STORE
from langstream.services.stores.astra_vector_db.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.astra_vector_db.configuration import AstraVectorDbSinkConfiguration
from langstream.services.stores.astra_vector_db.store import AstraVectorDbStore
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Write
from tests.services.stores.astra_vector_db.data_api import TOKEN, DataApiServer


@pytest.fixture
async def store(data_api: DataApiServer) -> AsyncIterator[AstraVectorDbStore]:
    configuration = {"service": "astra-vector-db", "endpoint": f"http://127.0.0.1:{data_api.port}/", "token": TOKEN}
    opened = connect("A", configuration, None)
    assert isinstance(opened, AstraVectorDbStore)
    await opened.start()
    data_api.collections["docs"] = {}
    data_api.dimensions["docs"] = 2
    yield opened
    await opened.close()


def query(**members: Any) -> str:
    return json.dumps({"collection-name": "docs", **members})


async def filled(store: AstraVectorDbStore, count: int) -> None:
    options = {"datasource": "A", "collection-name": "docs", "fields": [{"name": "id", "expression": "key"}]}
    table = store.table(AstraVectorDbSinkConfiguration.model_validate(options))
    writes = [Write({"id": n}, {"n": n, "vector": [1, n], "nothing": None}) for n in range(count)]
    assert await table.write(writes) == [None] * count


async def test_all_pages_are_fetched_unless_there_is_a_limit(store: AstraVectorDbStore) -> None:
    await filled(store, 120)
    assert len(await store.query(query(), ())) == 120
    assert len(await store.query(query(limit=45), ())) == 45
    assert len(await store.query(query(max="30", skip=5, sort={"n": -1}), ())) == 30


async def test_rows_have_plain_names(store: AstraVectorDbStore) -> None:
    await filled(store, 3)
    assert await store.query(query(filter={"n": 1}), ()) == [{"id": "1", "n": 1}]
    found = await store.query('{"collection-name": "docs", "vector": ?, "limit": 1, "select": ["vector"]}', [[1, 0]])
    assert found == [{"id": "0", "similarity": 1.0, "vector": [1.0, 0.0]}]
    (row,) = await store.query(query(vector="[1, 0]", limit=1, **{"include-similarity": False}), ())
    assert row == {"id": "0", "n": 0}


async def test_statements_change_documents(store: AstraVectorDbStore) -> None:
    await filled(store, 30)
    made = await store.execute(query(action="insertOne", document={"n": 99, "vector": [3, 4]}), ())
    (row,) = await store.query(query(filter={"n": 99}, select=["id", "vector"]), ())
    assert row == {"id": made["id"], "vector": [3.0, 4.0]}
    update = (
        '{"collection-name": "docs", "filter": {"_id": ?}, "update": {"$set": {"n": ?}}, "return-document": "after"}'
    )
    assert await store.execute(update, ["1", 77]) == {"count": 1}
    assert await store.execute(update, ["nobody", 77]) == {"count": 0}
    assert await store.execute(query(action="deleteOne", filter={"n": 77}), ()) == {"count": 1}
    assert await store.execute(query(action="deleteMany", filter={}), ()) == {"count": 30}


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("{}", "Query is empty"),
        ('{"vector": [1, 2]}', "collection-name is not defined"),
        (query(select="text", nonsense=1), "'nonsense' is unknown"),
        (query(limit=0), "limit"),
        (query(vector="no numbers"), "list of numbers"),
    ],
)
async def test_a_query_that_says_nothing_sensible_is_refused(
    store: AstraVectorDbStore, statement: str, reason: str
) -> None:
    with pytest.raises(ServiceError, match=reason) as caught:
        await store.query(statement, ())
    assert caught.value.category == "refused"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (query(filter={"n": 1}), "findOneAndUpdate needs filter and update"),
        (query(action="insertOne"), "needs document"),
        (query(action="deleteOne"), "needs filter"),
        (query(action="dropAll"), "action"),
    ],
)
async def test_a_statement_that_says_too_little_is_refused(
    store: AstraVectorDbStore, statement: str, reason: str
) -> None:
    with pytest.raises(ServiceError, match=reason):
        await store.execute(statement, ())


async def test_new_documents_go_together_and_known_ones_are_replaced(
    store: AstraVectorDbStore, data_api: DataApiServer
) -> None:
    await filled(store, 3)
    assert [command for command, _, _ in data_api.requests] == ["insertMany"]
    data_api.requests.clear()
    await filled(store, 5)
    assert [command for command, _, _ in data_api.requests] == ["insertMany", *["findOneAndReplace"] * 3]


async def test_data_is_the_whole_document(store: AstraVectorDbStore, data_api: DataApiServer) -> None:
    options = {"datasource": "A", "collection-name": "docs", "fields": [{"name": "data", "expression": "value"}]}
    configuration = AstraVectorDbSinkConfiguration.model_validate(options)
    assert [(column.name, column.key, column.generated) for column in configuration.columns()] == [
        ("id", True, True),
        ("data", False, False),
    ]
    table = store.table(configuration)
    outcomes = await table.write(
        [
            Write({"id": "1"}, {"data": '{"a": {"b": 1}}', "c": 2}),
            Write({"id": "2"}, {"data": "[1]"}),
            Write({"id": "3"}, {"data": "{"}),
        ]
    )
    assert outcomes[0] is None
    assert [getattr(outcome, "category", None) for outcome in outcomes[1:]] == ["refused", "refused"]
    assert data_api.collections["docs"] == {"1": {"_id": "1", "a": {"b": 1}, "c": 2}}


async def test_a_collection_comes_and_goes(store: AstraVectorDbStore, data_api: DataApiServer) -> None:
    options = {"datasource": "A", "collection-name": "made", "vector-dimension": "8", "metric": "dot_product"}
    asset = CollectionAsset(CollectionConfiguration.model_validate(options), store)
    assert not await asset.exists()
    await asset.create()
    assert await asset.exists()
    vector = {"dimension": 8, "metric": "dot_product"}
    assert ("createCollection", None, {"name": "made", "options": {"vector": vector}}) in data_api.requests
    await asset.delete()
    await asset.delete()
    assert not await asset.exists()


@pytest.mark.parametrize(
    ("error", "category"),
    [
        ({"errorCode": "COLLECTION_NOT_EXIST"}, "not-found"),
        ({"errorCode": "UNAUTHENTICATED_REQUEST"}, "authentication"),
        ({"errorCode": "SERVER_READ_TIMEOUT"}, "transient"),
        ({"errorCode": "ANYTHING", "family": "SERVER"}, "transient"),
        ({"errorCode": "INVALID_FILTER", "family": "REQUEST"}, "refused"),
    ],
)
async def test_what_an_error_means(
    store: AstraVectorDbStore, data_api: DataApiServer, error: dict[str, str], category: str
) -> None:
    data_api.failures = [{"errors": [{"message": "it says why", **error}]}]
    with pytest.raises(ServiceError, match="refused find: it says why") as caught:
        await store.query(query(), ())
    assert caught.value.category == category


async def test_a_busy_server_is_asked_again(store: AstraVectorDbStore, data_api: DataApiServer) -> None:
    data_api.failures = [503, 429]
    assert await store.query(query(), ()) == []
    assert len(data_api.requests) == 3


@pytest.mark.parametrize("missing", ["endpoint", "token"])
def test_endpoint_and_token_are_required(missing: str) -> None:
    options = {"service": "astra-vector-db", "endpoint": "https://x", "token": TOKEN}
    del options[missing]
    _, problems = check(STORE.configuration, options, subject="it")
    assert f"'{missing}' is required" in str(problems[0])
