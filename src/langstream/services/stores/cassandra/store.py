"""The store behind a Cassandra or Astra datasource: CQL statements, prepared once, with bound parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langstream.errors import RecordError, ServiceError
from langstream.services.stores.cassandra.configuration import CassandraConfiguration
from langstream.services.stores.cassandra.session import Access, CqlSession, parameters_of
from langstream.services.stores.cassandra.sink import CqlSinkConfiguration
from langstream.services.stores.cassandra.table import CqlTable
from langstream.services.stores.cassandra.values import into, out_of
from langstream.services.stores.contract import Row, Store, Table


class CqlStore(Store):
    """Statements on one cluster."""

    def __init__(self, session: CqlSession) -> None:
        self.session = session

    async def start(self) -> None:
        await self.session.start()

    async def close(self) -> None:
        await self.session.close()

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        prepared = await self.session.prepared(statement)
        prepared.is_idempotent = True  # another node may be asked when one breaks off
        rows = await self.session.run(bound(prepared, parameters))
        kinds = {column[2]: column[3] for column in prepared.result_metadata or ()}
        return [{name: out_of(value, kinds.get(name)) for name, value in row.items()} for row in rows]

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """Cassandra does not count what it changed: the result is empty, or tells whether a condition held."""
        if generated_keys:
            raise ServiceError("Cassandra generates no keys: generated-keys cannot be used", category="refused")
        prepared = await self.session.prepared(statement)
        rows = await self.session.run(bound(prepared, parameters))
        return {"applied": bool(rows[0]["[applied]"])} if rows and "[applied]" in rows[0] else {}

    def table(self, configuration: CqlSinkConfiguration) -> Table:
        return CqlTable(self.session, configuration)


def bound(prepared: Any, parameters: Sequence[Any]) -> Any:
    """The statement with its parameters, each converted to the type that its place wants."""
    needed = parameters_of(prepared)
    if len(needed) != len(parameters):
        raise ServiceError(
            f"Wrong number of parameters, your query needs {len(needed)} parameters but you provided "
            f"{len(parameters)} fields in the agent definition",
            category="refused",
        )
    try:
        values = [
            into(value, column.type, f"parameter {number} ({column.name})")
            for number, (value, column) in enumerate(zip(parameters, needed, strict=True), 1)
        ]
        return prepared.bind(values)
    except RecordError as error:
        raise ServiceError(str(error), category="refused") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ServiceError(f"a parameter does not fit: {' '.join(str(error).split())}", category="refused") from None


def connect(configuration: CassandraConfiguration, _: Path | None) -> CqlStore:
    """The store of a cluster of one's own."""
    arguments: dict[str, Any] = {"contact_points": configuration.contact_points, "port": configuration.port}
    if configuration.tls:
        arguments["ssl_context"] = _tls(configuration.ca_certificates)
    access = Access(
        where=f"Cassandra at {','.join(configuration.contact_points)}:{configuration.port}",
        arguments=arguments,
        local_dc=configuration.local_dc,
        username=configuration.username,
        password=configuration.password,
    )
    return CqlStore(CqlSession(access))


def _tls(certificates: str | None) -> Any:
    import ssl

    context = ssl.create_default_context(cadata=certificates)
    context.check_hostname = False  # nodes are addressed as the cluster announces them, mostly by number
    return context
