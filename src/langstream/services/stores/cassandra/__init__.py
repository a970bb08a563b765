"""Apache Cassandra, and Astra, which is Cassandra as a service. Both are asked in CQL."""

from __future__ import annotations

from langstream.services.stores import example
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

_QUERY = "SELECT text FROM library.documents ORDER BY vector ANN OF ? LIMIT 5"
_MAPPING = """\
table-name: library.documents
mapping: "filename=value.filename, chunk_id=value.chunk_id, text=value.text, vector=value.embeddings"
"""
_TABLE = """\
keyspace: library
table-name: documents
create-statements:
  - |
    CREATE TABLE documents (
      filename text, chunk_id int, text text, vector vector<float, 384>, PRIMARY KEY (filename, chunk_id))
  - "CREATE INDEX ON documents (vector) USING 'sai'"
"""

STORE = StoreType(
    service="cassandra",
    resource_types=_TYPES,
    configuration=CassandraConfiguration,
    sink_configuration=CqlSinkConfiguration,
    connect=store.connect,
    summary="Apache Cassandra: tables and vector search in CQL.",
    example_resource=example.resource(
        "cassandra",
        """\
contact-points: cassandra-1.example.com,cassandra-2.example.com
loadBalancing-localDc: datacenter1
username: app
password: "${secrets.cassandra.password}"
""",
    ),
    example_query=example.query("cassandra", _QUERY),
    example_sink=example.sink("cassandra", _MAPPING),
)

ASTRA = StoreType(
    service="astra",
    resource_types=_TYPES,
    configuration=AstraConfiguration,
    sink_configuration=CqlSinkConfiguration,
    connect=astra.connect,
    summary="DataStax Astra by CQL: Cassandra as a service, reached with a secure connect bundle.",
    example_resource=example.resource(
        "astra",
        """\
clientId: "${secrets.astra.client-id}"
secret: "${secrets.astra.secret}"
token: "${secrets.astra.token}"
database: documents
""",
    ),
    example_query=example.query("astra", _QUERY),
    example_sink=example.sink("astra", _MAPPING),
)

TABLE = AssetType(
    name="cassandra-table",
    configuration=TableConfiguration,
    services=("cassandra", "astra"),
    manage=TableAsset,
    summary="A table of Cassandra or Astra, made by its create statements.",
    example=example.asset("cassandra-table", "cassandra", _TABLE)
    + example.asset(
        "cassandra-table",
        "astra",
        _TABLE,
        name="documents-in-astra",
    ),
)

KEYSPACE = AssetType(
    name="cassandra-keyspace",
    configuration=KeyspaceConfiguration,
    services=("cassandra",),
    manage=KeyspaceAsset,
    summary="A keyspace of Cassandra, made by its create statements.",
    hint="Use astra-keyspace for AstraDB services.",
    example=example.asset(
        "cassandra-keyspace",
        "cassandra",
        """\
keyspace: library
create-statements:
  - |
    CREATE KEYSPACE library
    WITH REPLICATION = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}
""",
        name="library",
    ),
)

ASTRA_KEYSPACE = AssetType(
    name="astra-keyspace",
    configuration=AstraKeyspaceConfiguration,
    services=("astra",),
    manage=AstraKeyspaceAsset,
    summary="A keyspace of an Astra database.",
    hint="Use cassandra-keyspace for a standard Cassandra service (not AstraDB).",
    example=example.asset(
        "astra-keyspace",
        "astra",
        "keyspace: library\n",
        name="library-in-astra",
    ),
)

__all__ = ["ASTRA", "ASTRA_KEYSPACE", "KEYSPACE", "STORE", "TABLE"]
