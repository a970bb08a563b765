"""The store behind a JDBC datasource: the engine that its URL names, and the tables written to by sinks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langstream.services.stores.contract import Row, Store, Table
from langstream.services.stores.jdbc.configuration import JdbcConfiguration, JdbcSinkConfiguration
from langstream.services.stores.jdbc.duck import DuckDbEngine
from langstream.services.stores.jdbc.engine import Engine
from langstream.services.stores.jdbc.mysql import MysqlEngine
from langstream.services.stores.jdbc.postgres import PostgresEngine
from langstream.services.stores.jdbc.sqlite import SqliteEngine
from langstream.services.stores.jdbc.table import JdbcTable
from langstream.services.stores.jdbc.url import SERVERS, parse_server, parse_url


class JdbcStore(Store):
    """A datasource with `service: jdbc`."""

    def __init__(self, configuration: JdbcConfiguration, data_directory: Path | None) -> None:
        self.engine = engine_of(configuration, data_directory)

    async def start(self) -> None:
        await self.engine.start()

    async def close(self) -> None:
        await self.engine.close()

    async def check(self) -> None:
        await self.engine.query("SELECT 1", ())

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        return await self.engine.query(statement, parameters)

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        return await self.engine.execute(statement, parameters, generated_keys)

    def table(self, configuration: JdbcSinkConfiguration) -> Table:
        return JdbcTable(self.engine, configuration)


def engine_of(configuration: JdbcConfiguration, data_directory: Path | None) -> Engine:
    """The engine of a URL. A HerdDB URL names a database in the data directory (in memory where there is none)."""
    url = parse_url(configuration.url)
    properties = {**url.properties, **configuration.properties()}
    if url.engine == "herddb":
        return SqliteEngine(_herddb_file(url.location, data_directory))
    if url.engine == "sqlite":
        return SqliteEngine(url.location or ":memory:")
    if url.engine == "duckdb":
        return DuckDbEngine(url.location)
    server = parse_server(url.location, SERVERS[url.engine])
    return (PostgresEngine if url.engine == "postgresql" else MysqlEngine)(server, properties)


def _herddb_file(location: str, data_directory: Path | None) -> Path | str:
    if data_directory is None:
        return ":memory:"
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", location).strip("-.") or "local"
    return data_directory / "stores" / f"{name}.db"
