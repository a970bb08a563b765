"""The table that a `vector-db-sink` writes to: rows are replaced by primary key, or deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langstream.errors import ServiceError
from langstream.services.stores.batches import write_by_key
from langstream.services.stores.contract import Table, Write
from langstream.services.stores.jdbc.configuration import JdbcSinkConfiguration
from langstream.services.stores.jdbc.engine import Engine, Rows, Shape


class JdbcTable(Table):
    """A batch goes to the database whole; a refused one is written in parts, so that each row has its own result."""

    def __init__(self, engine: Engine, configuration: JdbcSinkConfiguration) -> None:
        self._engine = engine
        self._shape = Shape(
            configuration.table_name,
            tuple(field.name for field in configuration.fields if field.primary_key),
            tuple(field.name for field in configuration.fields if not field.primary_key),
        )
        self._rows: Rows | None = None

    def packers(self) -> Mapping[str, Callable[[Any], Any]]:
        return self._rows.packers if self._rows is not None else {}

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        try:
            if self._rows is None:
                self._rows = await self._engine.rows(self._shape)
        except ServiceError as error:
            return [error] * len(writes)
        return await write_by_key(writes, self._rows.upsert, self._rows.delete, self._rows.limit)
