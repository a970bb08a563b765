"""DuckDB, behind `jdbc:duckdb:` URLs. HerdDB's vector words are understood too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from langstream.errors import ServiceError
from langstream.services.stores.contract import Row
from langstream.services.stores.jdbc.engine import (
    BlockingEngine,
    Change,
    ChangedRows,
    Rows,
    Shape,
    executed,
    with_returning,
)
from langstream.services.stores.jdbc.many_rows import ManyRows
from langstream.services.stores.jdbc.sql import for_duckdb

Result = TypeVar("Result")


class DuckDbEngine(BlockingEngine):
    """One database file, or `:memory:`. One writer: its own thread."""

    threads = 1

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path or ":memory:"
        self._connection: Any = None

    async def start(self) -> None:
        def work() -> None:
            try:
                import duckdb
            except ImportError:
                raise ServiceError(
                    "DuckDB is not installed: pip install 'langstream[duckdb]'", category="refused"
                ) from None
            self._connection = duckdb.connect(self._path)

        await self._run(lambda: _guarded(work))

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        return await self._run(lambda: _guarded(lambda: self._rows(for_duckdb(statement), parameters)))

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str]
    ) -> Mapping[str, Any]:
        def work() -> Mapping[str, Any]:
            rows = self._rows(with_returning(for_duckdb(statement), generated_keys), parameters)
            return executed(len(rows) if generated_keys else _count(rows), generated_keys, rows)

        return await self._run(lambda: _guarded(work))

    async def apply(self, changes: Sequence[Change]) -> None:
        def work() -> None:
            self._connection.execute("BEGIN TRANSACTION")
            try:
                for change in changes:
                    statement, parameters = change.first
                    changed = _count(self._rows(statement, parameters))
                    if change.otherwise is not None and changed == 0:
                        self._rows(*change.otherwise)
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

        await self._run(lambda: _guarded(work))

    async def rows(self, shape: Shape) -> Rows:
        await self.query(f"SELECT {', '.join(shape.columns)} FROM {shape.table} LIMIT 0", ())  # noqa: S608
        many = ManyRows(self, shape)
        try:
            await self.query(f"EXPLAIN {many.statement(1)}", [None] * len(shape.columns))
        except ServiceError:  # no constraint says what is a conflict, or there is an index over another column
            return ChangedRows(self, shape)
        return many

    async def has_table(self, name: str) -> bool:
        found = await self.query(
            "SELECT 1 AS found FROM information_schema.tables WHERE lower(table_name) = lower(?)", [name]
        )
        return bool(found)

    def _rows(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        cursor = self._connection.execute(statement, list(parameters))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()] if names else []


def _count(rows: Sequence[Row]) -> int:
    """DuckDB answers a change with one row holding the number of rows changed."""
    return int(rows[0].get("Count", 0)) if rows else 0


def _guarded(work: Callable[[], Result]) -> Result:
    try:
        return work()
    except ServiceError:
        raise
    except Exception as error:  # the driver is not imported before it is needed, so its classes cannot be named
        category = "transient" if type(error).__name__ in ("IOException", "TransactionException") else "refused"
        raise ServiceError(f"the database refused the statement: {error}", category=category) from error
