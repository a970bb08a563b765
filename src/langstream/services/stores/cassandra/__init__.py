"""Apache Cassandra, and Astra, which is Cassandra as a service. Both are asked in CQL."""

from __future__ import annotations

from langstream.services.stores.cassandra import astra, store
from langstream.services.stores.cassandra.assets import (
    KeyspaceAsset,
    KeyspaceConfiguration,
    TableAsset,
    TableConfiguration,
)
from langstream.services.stores.cassandra.astra import AstraKeyspaceAsset, AstraKeyspaceConfiguration
from langstream.services.stores.cassandra.configuration import AstraConfiguration, CassandraConfiguration
from langstream.services.stores.cassandra.sink import CqlSinkConfiguration
from langstream.services.stores.contract import AssetType, StoreType

_TYPES = ("datasource", "vector-database")

STORE = StoreType(
    service="cassandra",
    resource_types=_TYPES,
    configuration=CassandraConfiguration,
    sink_configuration=CqlSinkConfiguration,
    connect=store.connect,
    summary="Apache Cassandra: tables and vector search in CQL.",
)

ASTRA = StoreType(
    service="astra",
    resource_types=_TYPES,
    configuration=AstraConfiguration,
    sink_configuration=CqlSinkConfiguration,
    connect=astra.connect,
    summary="DataStax Astra by CQL: Cassandra as a service, reached with a secure connect bundle.",
)

TABLE = AssetType(
    name="cassandra-table",
    configuration=TableConfiguration,
    services=("cassandra", "astra"),
    manage=TableAsset,
    summary="A table of Cassandra or Astra, made by its create statements.",
)

KEYSPACE = AssetType(
    name="cassandra-keyspace",
    configuration=KeyspaceConfiguration,
    services=("cassandra",),
    manage=KeyspaceAsset,
    summary="A keyspace of Cassandra, made by its create statements.",
    hint="Use astra-keyspace for AstraDB services.",
)

ASTRA_KEYSPACE = AssetType(
    name="astra-keyspace",
    configuration=AstraKeyspaceConfiguration,
    services=("astra",),
    manage=AstraKeyspaceAsset,
    summary="A keyspace of an Astra database.",
    hint="Use cassandra-keyspace for a standard Cassandra service (not AstraDB).",
)

__all__ = ["ASTRA", "ASTRA_KEYSPACE", "KEYSPACE", "STORE", "TABLE"]
