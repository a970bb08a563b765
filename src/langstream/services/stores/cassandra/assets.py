"""The asset types `cassandra-table` and `cassandra-keyspace`: made and removed by CQL statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from langstream.configuration.model import Configuration, Kind
from langstream.errors import ServiceError
from langstream.services.stores.cassandra.mapping import name, quoted
from langstream.services.stores.cassandra.store import CqlStore
from langstream.services.stores.contract import AssetManager


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Statements = Annotated[list[str], BeforeValidator(_as_list)]
Datasource = Annotated[
    str, Kind("resource", of=("datasource", "vector-database")), Field(description="Resource of the cluster.")
]


class KeyspaceConfiguration(Configuration):
    """A keyspace and the statements that make and remove it."""

    datasource: Datasource
    keyspace: Annotated[str, Field(min_length=1, description="Keyspace whose existence is looked up.")]
    create_statements: Annotated[Statements, Field(description="Run in order when it does not exist.")]
    delete_statements: Annotated[
        Statements | None,
        Field(description="Run in order when the application is deleted; only with deletion-mode: delete."),
    ] = None


class TableConfiguration(KeyspaceConfiguration):
    """A table and the statements that make and remove it, run inside the keyspace."""

    keyspace: Annotated[str, Field(min_length=1, description="Keyspace of the table; it must exist.")]
    table_name: Annotated[str, Field(min_length=1, description="Table whose existence is looked up.")]


class KeyspaceAsset(AssetManager):
    """Creates and deletes a keyspace."""

    def __init__(self, configuration: KeyspaceConfiguration, store: CqlStore) -> None:
        self._configuration = configuration
        self._store = store

    @property
    def keyspace(self) -> str:
        """As the schema has it."""
        return name(self._configuration.keyspace)

    async def exists(self) -> bool:
        return await self._has_keyspace()

    async def create(self) -> None:
        """Run the create statements. What exists already is left as it is."""
        await self._run(self._configuration.create_statements, "create")
        if not await self.exists():
            raise ServiceError(f"the create statements did not create {self._what()}", category="refused")

    async def delete(self) -> None:
        if await self.exists():
            await self._run(self._configuration.delete_statements or (), "delete")

    def _what(self) -> str:
        return f"keyspace {self.keyspace}"

    async def _has_keyspace(self) -> bool:
        found = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?"
        return bool(await self._store.query(found, [self.keyspace]))

    async def _run(self, statements: Sequence[str], which: str) -> None:
        for number, statement in enumerate(statements, 1):
            try:
                await self._statement(statement)
            except ServiceError as error:
                raise ServiceError(
                    f"{which} statement {number} of {self._what()}: {error}", category=error.category
                ) from error

    async def _statement(self, statement: str) -> None:
        from cassandra import AlreadyExists

        def run(session: Any) -> None:
            try:
                session.execute(statement)
            except AlreadyExists:
                return  # made by a neighbour, or by an earlier attempt that did not come to its end

        await self._store.session.blocking(run)


class TableAsset(KeyspaceAsset):
    """Creates and deletes a table. A table that an unfinished creation left behind is removed again."""

    def __init__(self, configuration: TableConfiguration, store: CqlStore) -> None:
        super().__init__(configuration, store)
        self._table = name(configuration.table_name)

    def _what(self) -> str:
        return f"table {self.keyspace}.{self._table}"

    async def exists(self) -> bool:
        """Raises ServiceError (not-found) where there is no such keyspace."""
        if not await self._has_keyspace():
            raise ServiceError(
                f"the keyspace {self.keyspace} does not exist. An asset of type cassandra-keyspace (astra-keyspace on "
                "Astra), declared before this one, creates it",
                category="not-found",
            )
        found = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?"
        return bool(await self._store.query(found, [self.keyspace, self._table]))

    async def create(self) -> None:
        await self._use_keyspace()
        try:
            await super().create()
        except ServiceError:
            if await self.exists():
                await self._statement(f"DROP TABLE {quoted(self.keyspace)}.{quoted(self._table)}")
            raise

    async def delete(self) -> None:
        if await self._has_keyspace() and await self.exists():
            await self._use_keyspace()
            await self._run(self._configuration.delete_statements or (), "delete")

    async def _use_keyspace(self) -> None:
        keyspace = quoted(self.keyspace)
        await self._store.session.blocking(lambda session: session.execute(f"USE {keyspace}"))
