"""Astra by CQL: a real Cassandra behind what Astra puts in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from langstream.errors import ServiceError
from langstream.services.stores.cassandra.astra import AstraKeyspaceAsset, AstraKeyspaceConfiguration, AstraStore
from langstream.services.stores.cassandra.configuration import AstraConfiguration
from langstream.services.stores.cassandra.devops import AstraApi
from langstream.services.stores.cassandra.sink import CqlSinkConfiguration
from langstream.services.stores.contract import Write
from tests.servers import cassandra
from tests.servers.astra import DATABASE, DATABASE_ID, TOKEN, Astra, astra


@pytest.fixture
def front(cassandra_server: cassandra.Cassandra, tmp_path: Path) -> Iterator[Astra]:
    with astra(tmp_path, cassandra_server.port) as server:
        yield server


def store(front: Astra | None, api: str = "", **options: Any) -> AstraStore:
    given = {"service": "astra", "clientId": cassandra.USER, "secret": cassandra.PASSWORD, **options}
    if front is not None and "token" not in options:
        given["secureBundle"] = f"base64:{front.encoded_bundle()}"
    return AstraStore(AstraConfiguration.model_validate(given), partial(AstraApi, root=api))


async def test_rows_go_through_the_bundle(front: Astra) -> None:
    opened = store(front)
    await opened.start()
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    await opened.execute(f"CREATE KEYSPACE IF NOT EXISTS astra WITH replication = {replication}", ())
    await opened.execute("CREATE TABLE IF NOT EXISTS astra.t (id int PRIMARY KEY, text text)", ())
    options = {"datasource": "A", "table-name": "astra.t", "mapping": "id=key.id,text=value.text"}
    table = opened.table(CqlSinkConfiguration.model_validate(options))
    await table.start()
    assert await table.write([Write({"id": "1"}, {"text": "one"}), Write({"id": 2}, {"text": "two"})]) == [None, None]
    assert await opened.query("SELECT text FROM astra.t WHERE id = ?", [1]) == [{"text": "one"}]
    await opened.close()


@pytest.mark.parametrize("by", [{"database": DATABASE}, {"database-id": DATABASE_ID}])
async def test_the_bundle_is_fetched_with_a_token(front: Astra, by: dict[str, str]) -> None:
    opened = store(front, front.api, token=TOKEN, **by)
    await opened.start()
    assert len(await opened.query("SELECT key FROM system.local", ())) == 1
    await opened.close()
    assert f"POST /v2/databases/{DATABASE_ID}/secureBundleURL" in front.requests


async def test_keyspaces_are_made_by_the_devops_api(front: Astra, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langstream.services.stores.cassandra.devops.LOOK_SECONDS", 0.01)
    opened = store(front, front.api, token=TOKEN, database=DATABASE)
    configuration = AstraKeyspaceConfiguration.model_validate({"datasource": "A", "keyspace": "Made"})
    asset = AstraKeyspaceAsset(configuration, opened)
    assert not await asset.exists()
    await asset.create()
    await asset.create()
    assert front.keyspaces == ["default_keyspace", "made"]
    await asset.delete()
    await asset.delete()
    assert not await asset.exists()


async def test_a_wrong_token_is_told_without_it(front: Astra) -> None:
    opened = store(front, front.api, token="AstraCS:wrong-one", database=DATABASE)
    with pytest.raises(ServiceError) as caught:
        await opened.start()
    assert caught.value.category == "authentication"
    assert "wrong-one" not in str(caught.value)


async def test_an_unknown_database_is_told(front: Astra) -> None:
    opened = store(front, front.api, token=TOKEN, database="others")
    with pytest.raises(ServiceError, match="no database 'others'"):
        await opened.start()


async def test_a_bundle_that_leads_nowhere_is_transient(tmp_path: Path) -> None:
    with astra(tmp_path, 1) as front:
        opened = store(front)
    with pytest.raises(ServiceError, match="metadata service") as caught:
        await opened.start()
    assert caught.value.retryable


async def test_what_is_no_bundle_is_refused() -> None:
    opened = store(None, secureBundle="bm8gemlw")
    with pytest.raises(ServiceError, match="secure connect bundle") as caught:
        await opened.start()
    assert not caught.value.retryable


def test_keyspaces_need_a_token() -> None:
    configuration = AstraKeyspaceConfiguration.model_validate({"datasource": "A", "keyspace": "k"})
    with pytest.raises(ServiceError, match="needs token"):
        AstraKeyspaceAsset(configuration, store(None, secureBundle="bm8gemlw"))
