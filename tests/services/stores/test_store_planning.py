"""Applications with stores, planned: what is refused before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from langstream.errors import ApplicationRefused
from langstream.planner.check import load_and_plan

CASSANDRA = {"service": "cassandra", "contact-points": "c", "loadBalancing-localDc": "dc"}
ASTRA = {"service": "astra", "clientId": "i", "secret": "s", "token": "t", "database": "d"}
OPENSEARCH = {"service": "opensearch", "host": "h", "index-name": "docs"}
SOLR = {"service": "solr", "collection-name": "docs"}
DATA_API = {"service": "astra-vector-db", "endpoint": "https://x", "token": "t"}
FIELDS = [{"name": "id", "expression": "value.id"}]

Refusals: TypeAlias = Callable[..., str]


@pytest.fixture
def refusals(tmp_path: Path) -> Refusals:
    """What is wrong with an application of this resource, and this asset or sink; empty for nothing."""

    def refused(resource: dict[str, Any], asset: dict[str, Any] | None = None, **sink: Any) -> str:
        resources = [{"type": "vector-database", "name": "Store", "configuration": resource}]
        pipeline: dict[str, Any] = {"topics": [{"name": "in", "creation-mode": "create-if-not-exists"}]}
        if sink:
            configuration = {"datasource": "Store", **sink}
            pipeline["pipeline"] = [{"type": "vector-db-sink", "input": "in", "configuration": configuration}]
        if asset is not None:
            pipeline["assets"] = [{"name": "made", **asset}]
        (tmp_path / "configuration.yaml").write_text(json.dumps({"configuration": {"resources": resources}}))
        (tmp_path / "pipeline.yaml").write_text(json.dumps(pipeline))
        try:
            load_and_plan(tmp_path, "app")
        except ApplicationRefused as error:
            return str(error)
        return ""

    return refused


def asset(type: str, **config: Any) -> dict[str, Any]:
    return {"asset-type": type, "creation-mode": "create-if-not-exists", "config": {"datasource": "Store", **config}}


KEYSPACE = asset("cassandra-keyspace", keyspace="shop", **{"create-statements": ["CREATE …"]})


def test_assets_of_these_stores_are_planned(refusals: Refusals) -> None:
    table = {"keyspace": "shop", "table-name": "t", "create-statements": ["CREATE …"]}
    collection = {"collection-name": "docs", "vector-dimension": "8"}
    statement = {"api": "/schema", "body": '"add-field": {}'}
    for resource, wanted in (
        (CASSANDRA, KEYSPACE),
        (CASSANDRA, asset("cassandra-table", **table)),
        (ASTRA, asset("cassandra-table", **table)),
        (ASTRA, asset("astra-keyspace", keyspace="shop")),
        (DATA_API, asset("astra-collection", **collection)),
        (OPENSEARCH, asset("opensearch-index", settings="", mappings="{}")),
        (SOLR, asset("solr-collection", **{"create-statements": [statement]})),
    ):
        assert refusals(resource, wanted) == ""


@pytest.mark.parametrize(
    ("resource", "wanted", "reason"),
    [
        (ASTRA, KEYSPACE, "Use astra-keyspace for AstraDB services"),
        (
            CASSANDRA,
            asset("astra-keyspace", keyspace="shop"),
            "Use cassandra-keyspace for a standard Cassandra service (not AstraDB)",
        ),
        (DATA_API, asset("astra-collection", **{"collection-name": "docs"}), "'vector-dimension' is required"),
        (OPENSEARCH, asset("opensearch-index", settings={"index": {}}), "settings"),
        (OPENSEARCH, asset("opensearch-index", mappings="{"), "not valid JSON"),
        (SOLR, asset("solr-collection", **{"collection-name": "docs"}), "'collection-name' is unknown"),
        (CASSANDRA, {**KEYSPACE, "deletion-mode": "delete"}, "'delete-statements' is required"),
        (OPENSEARCH, KEYSPACE, "is of service 'opensearch', not one of cassandra"),
    ],
)
def test_assets_that_are_refused(
    refusals: Refusals, resource: dict[str, Any], wanted: dict[str, Any], reason: str
) -> None:
    assert reason in refusals(resource, wanted)


def test_sinks_of_these_stores_are_planned(refusals: Refusals) -> None:
    cql = {"table-name": "shop.items", "mapping": "id=value.id", "anything": "else"}
    bulk = {"refresh": "wait_for", "require_alias": True}
    for resource, options in (
        (CASSANDRA, cql),
        (ASTRA, cql),
        (DATA_API, {"collection-name": "docs", "fields": FIELDS}),
        (OPENSEARCH, {"fields": FIELDS, "id": "key.id", "bulk-parameters": bulk, "flush-interval": 0}),
        (SOLR, {"fields": FIELDS, "commit-within": "0"}),
    ):
        assert refusals(resource, **options) == ""


@pytest.mark.parametrize(
    ("resource", "options", "reason"),
    [
        (CASSANDRA, {"table": "shop.items", "mapping": "id=value.id"}, "'table-name' is required"),
        (CASSANDRA, {"table-name": "shop.items", "mapping": "id=value.a.b"}, "expected column=source"),
        (CASSANDRA, {"table-name": "a.b", "mapping": "a=key", "x": ["y"]}, "Only string values can be passed"),
        (SOLR, {"fields": FIELDS, "collection-name": "docs"}, "'collection-name' is unknown"),
        (SOLR, {"fields": [*FIELDS, *FIELDS]}, "more than once"),
        (OPENSEARCH, {"fields": [{"name": "a", "expression": " "}]}, "expression"),
        (OPENSEARCH, {"fields": FIELDS, "bulk-parameters": {"refresh": "maybe"}}, "refresh"),
        (DATA_API, {"fields": FIELDS}, "'collection-name' is required"),
    ],
)
def test_sinks_that_are_refused(
    refusals: Refusals, resource: dict[str, Any], options: dict[str, Any], reason: str
) -> None:
    assert reason in refusals(resource, **options)
