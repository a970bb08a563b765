"""Rows written to PostgreSQL in bulk: one prepared upsert, and all rows of a batch sent together.

Measured against one statement that takes columns as arrays, and against COPY into a temporary table: for rows with
vectors this is the fastest of them, and the only one that takes columns of any type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from langstream.services.stores.contract import Write
from langstream.services.stores.jdbc.engine import Rows, Shape
from langstream.services.stores.jdbc.postgres_values import Converter, converter, early_vector

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Any]]
"""Gives a connection for a while, and turns its errors into ServiceErrors."""


async def bulk_rows(connection: Any, shape: Shape, connect: Connect) -> Rows | None:
    """Rows to write in bulk, or None where no unique index over the key says what is a conflict."""
    statement = await connection.prepare(f"SELECT {', '.join(shape.columns)} FROM {shape.table} LIMIT 0")  # noqa: S608
    attributes = statement.get_attributes()
    if not await _is_unique(connection, shape.table, [attribute.name for attribute in attributes[: len(shape.keys)]]):
        return None
    return BulkRows(shape, [attribute.type for attribute in attributes], connect)


async def _is_unique(connection: Any, table: str, keys: Sequence[str]) -> bool:
    """Whether a unique index has exactly these columns, in any order."""
    found = await connection.fetch(
        "SELECT array_agg(a.attname::text) FROM pg_index i "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey::int2[]) "
        "WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL "
        "AND i.indnkeyatts = i.indnatts GROUP BY i.indexrelid",
        table,
    )
    return any(set(row[0]) == set(keys) for row in found)


class BulkRows(Rows):
    """Rows of a table with a unique index over its key."""

    def __init__(self, shape: Shape, kinds: Sequence[Any], connect: Connect) -> None:
        self._shape = shape
        self._converters = [converter(kind.name) for kind in kinds]
        self._connect = connect
        others = zip(shape.others, kinds[len(shape.keys) :], strict=True)
        self.packers = {name: early_vector for name, kind in others if kind.name == "vector"}
        keys = ", ".join(shape.keys)
        updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in shape.others)
        marks = ", ".join(f"${number + 1}" for number in range(len(shape.columns)))
        # Names come from the application's own files, which also hold its SQL; values are always bound.
        self._upsert = (
            f"INSERT INTO {shape.table} ({', '.join(shape.columns)}) VALUES ({marks}) "  # noqa: S608
            f"ON CONFLICT ({keys}) DO {f'UPDATE SET {updates}' if updates else 'NOTHING'}"
        )
        known = ", ".join(
            f'${number + 1}::"{kind.schema}"."{kind.name}"[]' for number, kind in enumerate(kinds[: len(shape.keys)])
        )
        self._delete = f"DELETE FROM {shape.table} WHERE ({keys}) IN (SELECT * FROM unnest({known}))"  # noqa: S608

    async def upsert(self, writes: Sequence[Write]) -> None:
        async with self._connect() as connection:
            columns = self._columns([self._shape.row(write) for write in writes])
            await connection.executemany(self._upsert, zip(*columns, strict=True))

    async def delete(self, writes: Sequence[Write]) -> None:
        async with self._connect() as connection:
            columns = self._columns([self._shape.key(write) for write in writes])
            await connection.execute(self._delete, *columns)

    def _columns(self, rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        columns = zip(*rows, strict=True)
        return [
            values if convert is None else _converted(values, convert)
            for values, convert in zip(columns, self._converters, strict=False)
        ]


def _converted(values: Sequence[Any], convert: Converter) -> list[Any]:
    return [None if value is None else convert(value) for value in values]
