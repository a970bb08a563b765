"""Collections as assets, queries and statements, on a real Solr."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.errors import RecordError, ServiceError
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Write
from langstream.services.stores.solr.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.solr.configuration import SolrSinkConfiguration
from langstream.services.stores.solr.store import SolrStore
from tests.servers import solr
from tests.services.stores.solr.bench import STATEMENTS

FIELDS = [{"name": "id", "expression": "key"}, {"name": "text", "expression": "value"}]


@pytest.fixture
async def store(solr_server: solr.Solr) -> AsyncIterator[SolrStore]:
    configuration = {"service": "solr", "host": "127.0.0.1", "port": solr_server.port, "collection-name": "made"}
    opened = connect("S", {**configuration, "user": solr.USER, "password": solr.PASSWORD}, None)
    assert isinstance(opened, SolrStore)
    await opened.start()
    yield opened
    await asset(opened).delete()
    await opened.close()


def statements(*added: dict[str, Any]) -> list[dict[str, Any]]:
    create = {"api": "/api/collections", "body": ' "name": "made", "numShards": 1, "replicationFactor": 1'}
    return [create, *STATEMENTS[1:], *added]


def asset(store: SolrStore, *added: dict[str, Any]) -> CollectionAsset:
    options = {"datasource": "S", "create-statements": statements(*added)}
    return CollectionAsset(CollectionConfiguration.model_validate(options), store)


async def test_a_collection_comes_and_goes_and_takes_documents(store: SolrStore) -> None:
    made = asset(store)
    assert not await made.exists()
    await made.create()
    assert await made.exists()
    options = {"datasource": "S", "fields": FIELDS, "commit-within": 0}
    table = store.table(SolrSinkConfiguration.model_validate(options))
    first, bad, second = await table.write(
        [
            Write({"id": "a"}, {"text": "one"}),
            Write({"id": "b"}, {"text": {"set": "x"}}),
            Write({"id": 3}, {"text": "3"}),
        ]
    )
    assert (first, second) == (None, None)
    assert isinstance(bad, RecordError)
    assert "no fields for objects" in str(bad)
    filters = '["text:[* TO *]", "{!terms f=id v=$wanted}"]'
    query = f'{{"q": "*:*", "fq": {filters}, "wanted": ?, "sort": "id asc", "fl": "id,text"}}'
    assert await store.query(query, ["a,3"]) == [{"id": "3", "text": "3"}, {"id": "a", "text": "one"}]
    await statements_change_documents(store)
    await made.delete()
    await made.delete()
    assert not await made.exists()


async def statements_change_documents(store: SolrStore) -> None:
    """Told apart only because making a collection takes its time."""

    async def texts() -> dict[str, str]:
        rows = await store.query('{"q": "*:*", "fl": "id,text"}', ())
        return {row["id"]: row["text"] for row in rows}

    add = '{"action": "add", "document": {"id": ?, "text": ?}, "commit-within": 0}'
    assert await store.execute(add, ["c", "${text}"]) == {"count": 1}
    set_ = '{"action": "add", "documents": [{"id": "a", "text": {"set": ?}}], "commit-within": 0}'
    assert await store.execute(set_, ["ONE"]) == {"count": 1}
    assert await texts() == {"3": "3", "a": "ONE", "c": "${text}"}
    assert await store.execute('{"action": "delete", "ids": ["3", ?], "commit-within": 0}', ["c"]) == {"count": 2}
    assert await store.execute('{"action": "delete", "query": "id:a", "commit-within": 0}', ()) == {}
    assert await texts() == {}


async def test_a_half_made_collection_is_removed_again(store: SolrStore) -> None:
    made = asset(store, {"api": "/schema", "body": {"add-field": {"name": "x", "type": "nonsense"}}})
    with pytest.raises(ServiceError, match="create statement 4 of collection made") as caught:
        await made.create()
    assert not caught.value.retryable
    assert not await made.exists()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ({"api": "/other", "body": "{}"}, "api"),
        ({"api": "/schema", "body": "{"}, "not valid JSON"),
        ({"api": "/schema", "body": "{}", "method": "PATCH"}, "method"),
    ],
)
def test_statements_are_checked_when_the_application_is_planned(statement: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CollectionConfiguration.model_validate({"datasource": "S", "create-statements": [statement]})


def test_without_an_id_one_is_made_up_and_nothing_can_be_deleted() -> None:
    from langstream.agents.working_record import WorkingRecord
    from langstream.records import SimpleRecord

    configuration = SolrSinkConfiguration.model_validate({"datasource": "S", "fields": FIELDS[1:]})
    made_up, text = configuration.columns()
    assert (made_up.name, made_up.generated, text.key) == ("id", True, False)
    assert callable(made_up.expression)
    assert made_up.expression(WorkingRecord(SimpleRecord("x"))) is None
    with pytest.raises(RecordError, match="you must provide the field id"):
        made_up.expression(WorkingRecord(SimpleRecord(None)))


@pytest.mark.parametrize("statement", ['{"action": "delete"}', '{"action": "add"}', '{"action": "replace"}'])
async def test_a_statement_that_says_too_little_is_refused(store: SolrStore, statement: str) -> None:
    with pytest.raises(ServiceError, match="action") as caught:
        await store.execute(statement, ())
    assert caught.value.category == "refused"
