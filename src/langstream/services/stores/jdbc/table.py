"""The table that a `vector-db-sink` writes to: rows are replaced by primary key, or deleted."""

from __future__ import annotations

from collections.abc import Sequence

from langstream.errors import ServiceError
from langstream.services.stores.contract import Table, Write
from langstream.services.stores.jdbc.configuration import JdbcSinkConfiguration
from langstream.services.stores.jdbc.engine import Change, Engine


class JdbcTable(Table):
    """A batch is one transaction; if it fails, its rows are written one by one so that each has its own result."""

    def __init__(self, engine: Engine, configuration: JdbcSinkConfiguration) -> None:
        self._engine = engine
        table = configuration.table_name
        keys = [field.name for field in configuration.fields if field.primary_key]
        others = [field.name for field in configuration.fields if not field.primary_key]
        where = " AND ".join(f"{name} = ?" for name in keys)
        columns = [*keys, *others]
        marks = ", ".join("?" * len(columns))
        # Names come from the application's own files, which also hold its SQL; values are always bound.
        self._delete = f"DELETE FROM {table} WHERE {where}"  # noqa: S608
        self._insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
        changed = others or keys
        self._update = f"UPDATE {table} SET {', '.join(f'{name} = ?' for name in changed)} WHERE {where}"  # noqa: S608
        self._others = changed
        self._keys = keys

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        changes = [self._change(write) for write in writes]
        try:
            await self._engine.apply(changes)
        except ServiceError as error:
            if len(changes) == 1 or error.category == "transient":
                return [error] * len(changes)
            return [await self._apply_one(change) for change in changes]
        return [None] * len(changes)

    async def _apply_one(self, change: Change) -> Exception | None:
        try:
            await self._engine.apply([change])
        except ServiceError as error:
            return error
        return None

    def _change(self, write: Write) -> Change:
        keys = [write.key[name] for name in self._keys]
        if write.values is None:
            return Change((self._delete, keys))
        row = {**write.key, **write.values}
        return Change(
            (self._update, [*(row[name] for name in self._others), *keys]),
            (self._insert, [*keys, *write.values.values()]),
        )
