"""SQLite files with vector functions: the engine behind `jdbc:sqlite:` and `jdbc:herddb:` URLs.

Vectors are columns of type `FLOATA` (any type whose name holds FLOATA or VECTOR): lists of numbers go in and come
out, packed floats are stored. Besides SQLite's own functions there are `cosine_similarity(a, b)`,
`dot_product(a, b)`, `euclidean_distance(a, b)` and `CAST(x AS FLOAT ARRAY)`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw
import orjson

from langstream.errors import ServiceError
from langstream.services.stores.contract import Row
from langstream.services.stores.jdbc.engine import BlockingEngine, Change, executed, with_returning
from langstream.services.stores.jdbc.sql import for_sqlite
from langstream.services.stores.jdbc.vectors import dot_product, float_array, pack, unpack

BUSY_TIMEOUT_MILLISECONDS = 10_000  # another process may hold the write lock for a whole batch

Result = TypeVar("Result")


class SqliteEngine(BlockingEngine):
    """One database file, or `:memory:`. A connection per thread; an in-memory database has a single thread."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._memory = str(path) in (":memory:", "")
        self.threads = 1 if self._memory else 4
        super().__init__()
        self._local = threading.local()
        self._connections: list[apsw.Connection] = []
        self._lock = threading.Lock()

    async def start(self) -> None:
        if not self._memory:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        await self._run(lambda: self._guarded(self._connection))

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _connect(str(self._path), memory=self._memory)
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection

    def _disconnect(self) -> None:
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        def work() -> list[Row]:
            return _rows(self._connection(), for_sqlite(statement), parameters)

        return await self._run(lambda: self._guarded(work))

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str]
    ) -> Mapping[str, Any]:
        def work() -> Mapping[str, Any]:
            connection = self._connection()
            before = connection.total_changes()
            rows = _rows(connection, with_returning(for_sqlite(statement), generated_keys), parameters)
            return executed(connection.total_changes() - before, generated_keys, rows)

        return await self._run(lambda: self._guarded(work))

    async def apply(self, changes: Sequence[Change]) -> None:
        def work() -> None:
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                for change in changes:
                    statement, parameters = change.first
                    connection.execute(statement, _bound(parameters))
                    if change.otherwise is not None and connection.changes() == 0:
                        statement, parameters = change.otherwise
                        connection.execute(statement, _bound(parameters))
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

        await self._run(lambda: self._guarded(work))

    async def has_table(self, name: str) -> bool:
        found = await self.query(
            "SELECT 1 AS found FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) = lower(?)", [name]
        )
        return bool(found)

    def _guarded(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except (apsw.BusyError, apsw.LockedError) as error:
            raise ServiceError(f"the database {self._path} is locked by somebody else: {error}") from error
        except (apsw.FullError, apsw.IOError, apsw.CantOpenError) as error:
            raise ServiceError(f"the database {self._path} cannot be written or opened: {error}") from error
        except (apsw.Error, TypeError, ValueError) as error:
            raise ServiceError(f"the database refused the statement: {error}", category="refused") from error


def _connect(path: str, *, memory: bool) -> apsw.Connection:
    try:
        import sqlite_vec
    except ImportError:
        message = "the vector functions of SQLite are not installed: pip install 'langstream[vectors]'"
        raise ServiceError(message, category="refused") from None
    connection = apsw.Connection(path)
    connection.set_busy_timeout(BUSY_TIMEOUT_MILLISECONDS)
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.enable_load_extension(False)
    connection.create_scalar_function("float_array", lambda *values: float_array(*values), 1, deterministic=True)
    connection.create_scalar_function("dot_product", lambda *values: dot_product(*values), 2, deterministic=True)
    if not memory:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _rows(connection: apsw.Connection, statement: str, parameters: Sequence[Any]) -> list[Row]:
    cursor = connection.cursor()
    rows: list[Row] = []
    names: list[str] = []
    vectors: list[int] = []
    for values in cursor.execute(statement, _bound(parameters)):
        if not names:
            description = cursor.get_description()
            names = [column[0] for column in description]
            vectors = [index for index, column in enumerate(description) if _is_vector(column[1])]
        row = dict(zip(names, values, strict=True))
        for index in vectors:
            if isinstance(values[index], bytes):
                row[names[index]] = unpack(values[index])
        rows.append(row)
    return rows


def _is_vector(declared: str | None) -> bool:
    return declared is not None and any(word in declared.upper() for word in ("FLOATA", "FLOAT ARRAY", "VECTOR"))


def _bound(parameters: Sequence[Any]) -> list[Any]:
    return [_parameter(value) for value in parameters]


def _parameter(value: Any) -> Any:
    if isinstance(value, list | tuple):
        if all(isinstance(item, int | float) and not isinstance(item, bool) for item in value):
            return pack(value)
        return orjson.dumps(value).decode()
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    return str(value)
