"""SQL databases named by JDBC URLs, served by native drivers: no Java is needed.

`jdbc:herddb:…` (the database embedded in the original) is an embedded SQL engine with vector functions;
`jdbc:sqlite:`, `jdbc:duckdb:` and `jdbc:postgresql:` are the databases of those names.
"""

from __future__ import annotations

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
    example_resource="""\
- type: datasource
  name: documents-db
  configuration:
    service: jdbc
    driverClass: herddb.jdbc.Driver
    url: "jdbc:herddb:documents"
""",
    example_query="""\
- type: query
  input: questions
  output: related-documents
  configuration:
    datasource: documents-db
    query: "SELECT text FROM documents ORDER BY cosine_similarity(vector, CAST(? AS FLOAT ARRAY)) DESC LIMIT 5"
    fields: [value.question_embeddings]
    output-field: value.related_documents
""",
    example_sink="""\
- type: vector-db-sink
  input: chunks
  configuration:
    datasource: documents-db
    table-name: documents
    fields:
      - { name: filename, expression: value.filename, primary-key: true }
      - { name: chunk_id, expression: "fn:toInt(value.chunk_id)", primary-key: true }
      - { name: vector, expression: value.embeddings }
      - { name: text, expression: value.text }
""",
)

TABLE = AssetType(
    name="jdbc-table",
    configuration=TableConfiguration,
    services=("jdbc",),
    manage=TableAsset,
    summary="A table of an SQL database, made by its create statements.",
    example="""\
- name: documents
  asset-type: jdbc-table
  creation-mode: create-if-not-exists
  config:
    datasource: documents-db
    table-name: documents
    create-statements:
      - |
        CREATE TABLE documents (
          filename TEXT, chunk_id INTEGER, text TEXT, vector FLOATA, PRIMARY KEY (filename, chunk_id))
""",
)

__all__ = ["STORE", "TABLE"]
