"""SQL databases named by JDBC URLs, served by native drivers: no Java is needed.

`jdbc:herddb:…` (the database embedded in the original) is an embedded SQL engine with vector functions;
`jdbc:sqlite:`, `jdbc:duckdb:` and `jdbc:postgresql:` are the databases of those names.
"""

from __future__ import annotations

from langstream.services.stores import example
from langstream.services.stores.contract import AssetType, StoreType
from langstream.services.stores.jdbc.assets import TableAsset, TableConfiguration
from langstream.services.stores.jdbc.configuration import JdbcConfiguration, JdbcSinkConfiguration
from langstream.services.stores.jdbc.store import JdbcStore

STORE = StoreType(
    service="jdbc",
    resource_types=("datasource",),
    configuration=JdbcConfiguration,
    sink_configuration=JdbcSinkConfiguration,
    connect=JdbcStore,
    summary="SQL databases by JDBC URL: the embedded engine (herddb), SQLite, DuckDB, PostgreSQL, MySQL, MariaDB.",
    example_resource=example.resource(
        "jdbc",
        """\
driverClass: herddb.jdbc.Driver
url: "jdbc:herddb:documents"
""",
        name="documents-db",
        type="datasource",
    ),
    example_query=example.query(
        "documents-db",
        "SELECT text FROM documents ORDER BY cosine_similarity(vector, CAST(? AS FLOAT ARRAY)) DESC LIMIT 5",
        type="query",
    ),
    example_sink=example.sink(
        "documents-db",
        """\
table-name: documents
fields:
  - { name: filename, expression: value.filename, primary-key: true }
  - { name: chunk_id, expression: "fn:toInt(value.chunk_id)", primary-key: true }
  - { name: vector, expression: value.embeddings }
  - { name: text, expression: value.text }
""",
    ),
)

TABLE = AssetType(
    name="jdbc-table",
    configuration=TableConfiguration,
    services=("jdbc",),
    manage=TableAsset,
    summary="A table of an SQL database, made by its create statements.",
    example=example.asset(
        "jdbc-table",
        "documents-db",
        """\
table-name: documents
create-statements:
  - |
    CREATE TABLE documents (
      filename TEXT, chunk_id INTEGER, text TEXT, vector FLOATA, PRIMARY KEY (filename, chunk_id))
""",
    ),
)

__all__ = ["STORE", "TABLE"]
