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
    summary="SQL databases by JDBC URL: the embedded engine (herddb), SQLite, DuckDB, PostgreSQL.",
)

TABLE = AssetType(
    name="jdbc-table",
    configuration=TableConfiguration,
    services=("jdbc",),
    manage=TableAsset,
    summary="A table of an SQL database, made by its create statements.",
)

__all__ = ["STORE", "TABLE"]
