"""What the planner says to assets, and what becomes of them; ids are those of facts about the original."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from langstream.deploy.assets import create_assets, delete_assets
from langstream.errors import ServiceError
from langstream.services.stores.connection import connect
from tests.facts.application import asset, planned, refusal, resource

CREATE: Final = ["CREATE TABLE items (id VARCHAR(40) PRIMARY KEY)"]
DROP: Final = ["DROP TABLE items"]
ITEMS: Final = {"table_name": "items", "create_statements": CREATE}
SHOP: Final = {"keyspace": "shop", "create_statements": ["CREATE KEYSPACE shop"]}
SIMPLE: Final = '{"command": "create-simple-collection", "collection-name": "docs", "dimension": 8, "auto-id": false}'
FULL: Final = [
    (
        '{"command": "create-collection", "collection-name": "docs", "database-name": "default", "shards-num": 1,'
        ' "field-types": [{"name": "id", "primary-key": true, "data-type": "int64", "auto-i-d": false},'
        ' {"name": "text", "data-type": "VarChar", "max-length": 10},'
        ' {"name": "vector", "data-type": "FloatVector", "type-params": {"dim": "3"}}]}'
    ),
    (
        '{"command": "create-index", "collection-name": "docs", "field-name": "vector", "index-name": "i",'
        ' "index-type": "AUTOINDEX", "metric-type": "L2", "extra-param": "{}",'
        ' "sync-mode": true, "sync-waiting-interval": 500}'
    ),
    '{"command": "load-collection"}',
]
SCHEMA: Final = {"api": "/schema", "body": '"add-field": {"name": "text", "type": "string"}'}
HTTP: Final = [{"api": "/api/collections", "method": "POST", "body": '{"name": "docs"}'}, SCHEMA]

ACCEPTED: Final = {
    "cassandra-table": asset("cassandra-table", "Cass", **SHOP, table_name="items"),
    "cassandra-table on Astra": asset("cassandra-table", "Astra", **SHOP, table_name="items"),
    "cassandra-keyspace": asset("cassandra-keyspace", "Cass", **SHOP),
    "astra-keyspace": asset("astra-keyspace", "Astra", keyspace="shop"),
    "astra-collection": asset("astra-collection", "AstraJson", collection_name="docs", vector_dimension="8"),
    "jdbc-table": asset("jdbc-table", "Jdbc", **ITEMS),
    "milvus-collection": asset("milvus-collection", "Milvus", collection_name="docs", create_statements=FULL),
    "simple collection": asset("milvus-collection", "Milvus", collection_name="docs", create_statements=[SIMPLE]),
    "opensearch-index": asset("opensearch-index", "OpenSearch", settings='{"index": {}}', mappings=" "),
    "opensearch-index of defaults": asset("opensearch-index", "OpenSearch"),
    "solr-collection": asset("solr-collection", "Solr", create_statements=HTTP),
    "SPACE BEFORE A BRACE": asset("solr-collection", "Solr", create_statements=[{**SCHEMA, "body": '  {"a": 1}'}]),
    "A BODY AS YAML": asset("solr-collection", "Solr", create_statements=[{**SCHEMA, "body": {"a": 1}}]),
    "A-8 deleted": {**asset("jdbc-table", "Jdbc", **ITEMS, delete_statements=DROP), "deletion-mode": "delete"},
    "A-6": {**asset("jdbc-table", "Jdbc", **ITEMS), "id": "an-id"},
    "placeholders": asset("jdbc-table", "Jdbc", table_name="${globals.table}", create_statements=CREATE),
}

REFUSED: Final = {
    "A-7": (
        {**asset("jdbc-table", "Jdbc", **ITEMS), "creation-mode": "always"},
        "'creation-mode' of asset 'made' must",
    ),
    "deletion mode": (
        {**asset("jdbc-table", "Jdbc", **ITEMS), "deletion-mode": "x"},
        "'deletion-mode' of asset 'made'",
    ),
    "A-8": (
        {**asset("jdbc-table", "Jdbc", **ITEMS), "deletion-mode": "delete"},
        "'delete-statements' is required with deletion-mode=delete",
    ),
    "A-8 table": (
        {**asset("cassandra-table", "Cass", **SHOP, table_name="t"), "deletion-mode": "delete"},
        "'delete-statements' is required with deletion-mode=delete",
    ),
    "A-9": (
        asset("jdbc-table", "Jdbc", **ITEMS, delete_statements=DROP),
        "delete-statements must be set only if deletion-mode=delete",
    ),
    "no such key": (
        {
            **asset("milvus-collection", "Milvus", collection_name="d", create_statements=[SIMPLE]),
            "deletion-mode": "delete",
            "config": {
                "datasource": "Milvus",
                "collection-name": "d",
                "create-statements": [SIMPLE],
                "delete-statements": [],
            },
        },
        "'delete-statements' is unknown",
    ),
    "A-10": (
        asset("jdbc-table", "nowhere", **ITEMS),
        "Resource 'nowhere' not found, named by 'datasource' of asset 'made'",
    ),
    "no datasource": (
        {"name": "made", "asset-type": "jdbc-table", "config": {"table-name": "t", "create-statements": ["c"]}},
        "Property 'datasource' is required",
    ),
    "no id, no name": ({"asset-type": "jdbc-table", "config": {}}, "An asset needs an 'id' or a 'name'"),
    "no type": ({"name": "made", "config": {}}, "'asset-type' of asset 'made' is required"),
    "unknown type": (asset("jdbc-tables", "Jdbc"), "unknown asset type 'jdbc-tables'. Did you mean 'jdbc-table'?"),
    "unknown key": ({**asset("jdbc-table", "Jdbc", **ITEMS), "config ": {}}, "unknown key 'config '"),
    "unknown option": (asset("jdbc-table", "Jdbc", **ITEMS, columns=[]), "Property 'columns' is unknown"),
    "A-18": (
        asset("opensearch-index", "OpenSearch", settings={"index": {}}),
        "'settings' has a wrong value: expected text",
    ),
    "NO JSON WHEN PLANNED": (asset("opensearch-index", "OpenSearch", mappings="{"), "it is not valid JSON"),
    "index of the resource": (asset("opensearch-index", "OpenSearch", index_name="x"), "'index-name' is unknown"),
    "collection of the resource": (
        asset("solr-collection", "Solr", collection_name="x", create_statements=HTTP),
        "'collection-name' is unknown",
    ),
    "unexpected api": (asset("solr-collection", "Solr", create_statements=[{"api": "/x", "body": ""}]), "[0].api"),
    "no statements": (asset("solr-collection", "Solr"), "Property 'create-statements' is required"),
    "A-20 WHEN PLANNED": (
        asset("milvus-collection", "Milvus", collection_name="d", create_statements=['{"dimension": 8}']),
        "Command is empty",
    ),
    "unexpected command": (
        asset("milvus-collection", "Milvus", collection_name="d", create_statements=['{"command": "drop"}']),
        "Unexpected command: drop",
    ),
    "A-22": (asset("cassandra-keyspace", "Astra", **SHOP), "Use astra-keyspace for AstraDB services"),
    "A-23": (
        asset("astra-keyspace", "Cass", keyspace="shop"),
        "Use cassandra-keyspace for a standard Cassandra service (not AstraDB)",
    ),
    "A-24": (asset("astra-collection", "AstraJson", collection_name="docs"), "Property 'vector-dimension' is required"),
    "OTHER STORE (D-26)": (asset("cassandra-keyspace", "OpenSearch", **SHOP), "is of service 'opensearch', not one of"),
    "no store": (asset("opensearch-index", "OpenAI"), "is of type 'open-ai-configuration'"),
}


@pytest.mark.parametrize("entry", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted(entry: Mapping[str, Any]) -> None:
    assert refusal(assets=[{**entry, "creation-mode": "create-if-not-exists"}]) == ""


@pytest.mark.parametrize(("entry", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(entry: Mapping[str, Any], words: str) -> None:
    assert words in refusal(assets=[entry])


def test_an_asset_goes_by_its_id_or_its_name() -> None:
    """A-6."""
    entries = [
        {**asset("jdbc-table", "Jdbc", **ITEMS), "name": "a"},
        {**asset("jdbc-table", "Jdbc", **ITEMS), "id": "b"},
    ]
    del entries[1]["name"]
    plan = planned(assets=entries)
    assert [(found.asset.id, found.asset.name) for found in plan.assets] == [("a", "a"), ("b", "b")]
    assert {found.asset.creation_mode for found in plan.assets} == {"none"}


def test_the_same_asset_may_be_declared_again_and_no_other() -> None:
    first, other = (
        asset("jdbc-table", "Jdbc", **ITEMS),
        asset("jdbc-table", "Jdbc", **{**ITEMS, "table_name": "others"}),
    )
    assert len(planned(assets=[first, first]).assets) == 1
    assert "Asset 'made' is declared again with other settings" in refusal(assets=[first, other])


# --- what becomes of them -------------------------------------------------------------------------------------------

EMBEDDED: Final = {"type": "datasource", "name": "Db", "configuration": {"service": "jdbc", "url": "jdbc:herddb:local"}}


def table(name: str, *creating: str, deleting: str = "none", creation: str = "create-if-not-exists") -> dict[str, Any]:
    """A table of the embedded engine."""
    statements = creating or (f"CREATE TABLE {name} (id VARCHAR(10) PRIMARY KEY)",)
    entry = asset("jdbc-table", "Db", table_name=name, create_statements=list(statements))
    if deleting == "delete":
        entry["config"]["delete-statements"] = [f"DROP TABLE {name}"]
    return {**entry, "name": name, "creation-mode": creation, "deletion-mode": deleting}


async def tables(directory: Path) -> set[str]:
    """Those there are."""
    store = connect("Db", EMBEDDED["configuration"], directory)  # type: ignore[arg-type]
    await store.start()
    try:
        return {row["name"] for row in await store.query("SELECT name FROM sqlite_master WHERE type = 'table'", [])}
    finally:
        await store.close()


async def test_assets_are_created_in_order_where_they_do_not_exist(tmp_path: Path) -> None:
    """A-13, A-14, A-15: letter case does not matter, and statements of what exists are not run."""
    first = table("DOCS")
    dependent = table("copies", "CREATE TABLE copies AS SELECT * FROM docs")
    never = table("never", creation="none")
    await create_assets(planned(assets=[first, dependent, never], resources=[EMBEDDED]), tmp_path)
    assert await tables(tmp_path) == {"DOCS", "copies"}
    again = table("docs", "this is no SQL")
    await create_assets(planned(assets=[again], resources=[EMBEDDED]), tmp_path)
    assert await tables(tmp_path) == {"DOCS", "copies"}


async def test_only_assets_that_say_so_are_deleted_and_the_last_first(tmp_path: Path) -> None:
    """A-12, A-25: what was made later may need what was made before."""
    kept, first = table("kept"), table("first", deleting="delete")
    last = table("last", "CREATE TABLE last (id VARCHAR(10) REFERENCES first (id))", deleting="delete")
    plan = planned(assets=[kept, first, last], resources=[EMBEDDED])
    await create_assets(plan, tmp_path)
    assert await tables(tmp_path) == {"kept", "first", "last"}
    await delete_assets(plan, tmp_path)
    assert await tables(tmp_path) == {"kept"}
    await delete_assets(plan, tmp_path)


async def test_a_failure_names_the_asset_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    """D-38."""
    broken = table("broken", "CREATE TABLE broken (id VARCHAR(10))", "this is no SQL")
    with pytest.raises(ServiceError, match=r"asset 'broken' \(jdbc-table\) could not be created"):
        await create_assets(planned(assets=[broken], resources=[EMBEDDED]), tmp_path)
    assert await tables(tmp_path) == set()


async def test_placeholders_reach_the_store(tmp_path: Path) -> None:
    """A-11."""
    entry = table("docs", "CREATE TABLE ${globals.table} (id VARCHAR(10))")
    entry["config"]["table-name"] = "${globals.table}"
    await create_assets(planned(assets=[entry], resources=[EMBEDDED, resource("Jdbc")]), tmp_path)
    assert await tables(tmp_path) == {"docs"}
