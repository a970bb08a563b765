"""The asset type `jdbc-table`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from langstream.configuration.model import Configuration, Kind
from langstream.errors import ServiceError
from langstream.services.stores.contract import AssetManager
from langstream.services.stores.jdbc.store import JdbcStore


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_Statements = Annotated[list[str], BeforeValidator(_as_list)]


class TableConfiguration(Configuration):
    """A table and the statements that make and remove it."""

    datasource: Annotated[str, Kind("resource", of=("datasource",)), Field(description="Resource of the database.")]
    table_name: Annotated[str, Field(min_length=1, description="Table whose existence is looked up.")]
    create_statements: Annotated[_Statements, Field(description="Run in order when the table does not exist.")]
    delete_statements: Annotated[
        _Statements | None,
        Field(description="Run in order when the application is deleted; only with deletion-mode: delete."),
    ] = None


class TableAsset(AssetManager):
    """Creates and deletes the table through its datasource."""

    def __init__(self, configuration: TableConfiguration, store: JdbcStore) -> None:
        self._configuration = configuration
        self._store = store

    async def exists(self) -> bool:
        return await self._store.engine.has_table(self._configuration.table_name)

    async def create(self) -> None:
        """Run the create statements. Where one fails, a table made by an earlier one is removed again."""
        done = 0
        try:
            for statement in self._configuration.create_statements:
                await self._store.execute(statement, ())
                done += 1
        except ServiceError as error:
            if done and await self.exists():
                await self._store.execute(f"DROP TABLE {self._configuration.table_name}", ())
            raise ServiceError(
                f"create statement {done + 1} of table {self._configuration.table_name}: {error}",
                category=error.category,
            ) from error

    async def delete(self) -> None:
        if await self.exists():
            for statement in self._configuration.delete_statements or ():
                await self._store.execute(statement, ())
