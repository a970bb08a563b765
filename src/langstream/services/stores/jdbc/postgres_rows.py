"""Rows written to PostgreSQL in bulk: one statement for a batch, whatever its size, and a column at a time.

`INSERT … SELECT FROM unnest(…) ON CONFLICT DO UPDATE` takes each column as one array. Arrays of arrays would be
flattened by `unnest`, so tables with such columns get a statement for each row, sent together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

from langstream.services.stores.contract import Write
from langstream.services.stores.jdbc.engine import Rows, Shape
from langstream.services.stores.jdbc.postgres_values import Converter, converter

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Any]]
"""Gives a connection for a while, and turns its errors into ServiceErrors."""


@dataclass(frozen=True, slots=True)
class ColumnTypes:
    """Of the columns of a shape, in its order."""

    names: tuple[str, ...]
    """Qualified, as they stand in casts."""
    converters: tuple[Converter | None, ...]
    arrays: bool
    """Whether one of them is an array."""


async def bulk_rows(connection: Any, shape: Shape, connect: Connect) -> Rows | None:
    """Rows to write in bulk, or None where no unique index over the key says what is a conflict."""
    statement = await connection.prepare(f"SELECT {', '.join(shape.columns)} FROM {shape.table} LIMIT 0")  # noqa: S608
    attributes = statement.get_attributes()
    if not await _is_unique(connection, shape.table, [attribute.name for attribute in attributes[: len(shape.keys)]]):
        return None
    kinds = [attribute.type for attribute in attributes]
    types = ColumnTypes(
        tuple(f'"{kind.schema}"."{kind.name}"' for kind in kinds),
        tuple(converter(kind.name) for kind in kinds),
        any(kind.kind == "array" for kind in kinds),
    )
    return BulkRows(shape, types, connect)


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

    def __init__(self, shape: Shape, types: ColumnTypes, connect: Connect) -> None:
        self._shape = shape
        self._types = types
        self._connect = connect
        keys = ", ".join(shape.keys)
        updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in shape.others)
        conflict = f"ON CONFLICT ({keys}) DO {f'UPDATE SET {updates}' if updates else 'NOTHING'}"
        insert = f"INSERT INTO {shape.table} ({', '.join(shape.columns)})"
        # Names come from the application's own files, which also hold its SQL; values are always bound.
        if types.arrays:
            marks = ", ".join(f"${number + 1}" for number in range(len(shape.columns)))
            self._upsert = f"{insert} VALUES ({marks}) {conflict}"
        else:
            self._upsert = f"{insert} SELECT * FROM unnest({_arrays(types.names)}) {conflict}"  # noqa: S608
        known = _arrays(types.names[: len(shape.keys)])
        self._delete = f"DELETE FROM {shape.table} WHERE ({keys}) IN (SELECT * FROM unnest({known}))"  # noqa: S608

    async def upsert(self, writes: Sequence[Write]) -> None:
        columns = self._columns([self._shape.row(write) for write in writes])
        async with self._connect() as connection:
            if self._types.arrays:
                await connection.executemany(self._upsert, list(zip(*columns, strict=True)))
            else:
                await connection.execute(self._upsert, *columns)

    async def delete(self, writes: Sequence[Write]) -> None:
        columns = self._columns([self._shape.key(write) for write in writes])
        async with self._connect() as connection:
            await connection.execute(self._delete, *columns)

    def _columns(self, rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
        columns = []
        for values, convert in zip(zip(*rows, strict=True), self._types.converters, strict=False):
            if convert is None:
                columns.append(list(values))
            else:
                columns.append([None if value is None else convert(value) for value in values])
        return columns


def _arrays(types: Sequence[str]) -> str:
    return ", ".join(f"${number + 1}::{name}[]" for number, name in enumerate(types))
