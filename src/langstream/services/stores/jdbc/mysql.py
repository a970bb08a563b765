"""MySQL and MariaDB, behind `jdbc:mysql:` and `jdbc:mariadb:` URLs: a pool of connections, prepared statements."""

from __future__ import annotations

import asyncio
import struct
from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import orjson

from langstream.errors import ServiceError
from langstream.services.stores.contract import Row, Write
from langstream.services.stores.jdbc.engine import Change, ChangedRows, Engine, Rows, Shape, executed
from langstream.services.stores.jdbc.sql import formatted
from langstream.services.stores.jdbc.url import Server
from langstream.services.stores.jdbc.vectors import pack

POOL_SIZE: Final = 8
CONNECT_TIMEOUT_SECONDS: Final = 10
STATEMENTS_KEPT: Final = 64
_JSON_TYPE: Final = 245
_VECTOR_TYPE: Final = 242
_NOT_LET_IN: Final = (1044, 1045, 1698, 1130)
_PASSING: Final = (1040, 1053, 1077, 1129, 1152, 1158, 1159, 1160, 1161, 1205, 1213, 1226, 3572)
"""Too many connections, shutdowns, broken connections, locks and deadlocks."""


class MysqlEngine(Engine):
    """A pool of connections; a broken one is replaced when it is next needed."""

    def __init__(self, server: Server, properties: Mapping[str, str]) -> None:
        self._server = server
        self._properties = properties
        self._pool: Any = None

    async def start(self) -> None:
        try:
            import asyncmy
        except ImportError:
            raise ServiceError(
                "the MySQL driver is not installed: pip install 'langstream[mysql]'", category="refused"
            ) from None
        properties = self._properties
        async with self._failures():
            self._pool = await asyncmy.create_pool(
                minsize=1,
                maxsize=POOL_SIZE,
                host=self._server.host,
                port=self._server.port,
                db=self._server.database or None,
                user=properties.get("user") or properties.get("username"),
                password=properties.get("password", ""),
                ssl=_ssl(properties),
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                stmt_cache_size=STATEMENTS_KEPT,
                client_flag=_FOUND_ROWS,
            )

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.close()
            await pool.wait_closed()

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        async with self._connection() as connection:
            return (await _run(connection, statement, parameters))[0]

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str]
    ) -> Mapping[str, Any]:
        async with self._connection() as connection:
            _, count, last = await _run(connection, statement, parameters)
        keys = [{generated_keys[0]: last}] if generated_keys and last else []
        return executed(count, generated_keys, keys)

    async def apply(self, changes: Sequence[Change]) -> None:
        async with self._connection() as connection, _transaction(connection):
            for change in changes:
                _, count, _ = await _run(connection, *change.first)
                if change.otherwise is not None and count == 0:
                    await _run(connection, *change.otherwise)

    async def rows(self, shape: Shape) -> Rows:
        schema, _, table = shape.table.replace("`", "").rpartition(".")
        where = "table_name = ? AND table_schema = " + ("?" if schema else "database()")
        named = [table, schema] if schema else [table]
        indexes = await self.query(
            "SELECT index_name AS name, group_concat(lower(column_name)) AS columns "  # noqa: S608
            f"FROM information_schema.statistics WHERE non_unique = 0 AND {where} GROUP BY index_name",
            named,
        )
        types = await self.query(
            f"SELECT lower(column_name) AS name, data_type AS type FROM information_schema.columns WHERE {where}",  # noqa: S608
            named,
        )
        keys = {_plain_name(name) for name in shape.keys}
        if not any(set(index["columns"].split(",")) == keys for index in indexes):
            return ChangedRows(self, shape)
        vectors = {row["name"] for row in types if str(row["type"]).lower() == "vector"}
        return MysqlRows(self, shape, [_plain_name(name) in vectors for name in shape.columns])

    async def has_table(self, name: str) -> bool:
        schema, _, table = name.rpartition(".")
        found = await self.query(
            "SELECT 1 AS found FROM information_schema.tables WHERE lower(table_name) = lower(?) "  # noqa: S608
            f"AND lower(table_schema) = lower({'?' if schema else 'database()'})",
            [table, schema] if schema else [table],
        )
        return bool(found)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        async with self._failures(), self._pool.acquire() as connection:
            yield connection

    def _where(self) -> str:
        return f"MySQL at {self._server.host}:{self._server.port}/{self._server.database}"

    @asynccontextmanager
    async def _failures(self) -> AsyncIterator[None]:
        """Driver errors as ServiceErrors: lost connections and conflicts may be tried again, refused statements not."""
        from asyncmy import errors

        where = self._where()
        try:
            yield
        except ServiceError:
            raise
        except errors.MySQLError as error:
            code, words = _code(error)
            if code in _NOT_LET_IN:
                raise ServiceError(f"{where} refused the login: {words}", category="authentication") from error
            if code in _PASSING or 2000 <= code < 3000 or isinstance(error, errors.InterfaceError):
                raise ServiceError(f"{where} cannot be used now: {words}") from error
            raise ServiceError(f"{where} refused the statement: {words}", category="refused") from error
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise ServiceError(f"{where} cannot be used now: {str(error) or type(error).__name__}") from error
        except (ValueError, TypeError, struct.error) as error:
            raise ServiceError(f"{where} refused the parameters: {error}", category="refused") from error


class MysqlRows(Rows):
    """Rows of a table with a unique index over its key: one statement for a batch."""

    limit = 500

    def __init__(self, engine: MysqlEngine, shape: Shape, vectors: Sequence[bool]) -> None:
        self._engine = engine
        self._shape = shape
        self._vectors = vectors if any(vectors) else None

    async def upsert(self, writes: Sequence[Write]) -> None:
        shape = self._shape
        rows = [self._row(write) for write in writes]
        await self._engine.execute(_upsert(shape, len(rows)), [value for row in rows for value in row], ())

    async def delete(self, writes: Sequence[Write]) -> None:
        keys = [value for write in writes for value in self._shape.key(write)]
        await self._engine.execute(_deletion(self._shape, len(writes)), keys, ())

    def _row(self, write: Write) -> list[Any]:
        row = self._shape.row(write)
        if self._vectors is None:
            return row
        return [
            pack(value) if is_vector and isinstance(value, list | tuple) else value
            for value, is_vector in zip(row, self._vectors, strict=True)
        ]


@lru_cache(maxsize=256)
def _upsert(shape: Shape, count: int) -> str:
    marks = f"({', '.join('?' * len(shape.columns))})"
    changed = shape.others or shape.keys[:1]
    # Names come from the application's own files, which also hold its SQL; values are always bound.
    return (
        f"INSERT INTO {shape.table} ({', '.join(shape.columns)}) VALUES {', '.join([marks] * count)} "  # noqa: S608
        f"ON DUPLICATE KEY UPDATE {', '.join(f'{name} = VALUES({name})' for name in changed)}"
    )


@lru_cache(maxsize=256)
def _deletion(shape: Shape, count: int) -> str:
    marks = f"({', '.join('?' * len(shape.keys))})"
    return f"DELETE FROM {shape.table} WHERE ({', '.join(shape.keys)}) IN ({', '.join([marks] * count)})"  # noqa: S608


@lru_cache(maxsize=256)
def _formatted(statement: str) -> tuple[str, int]:
    return formatted(statement)


async def _run(connection: Any, statement: str, parameters: Sequence[Any]) -> tuple[list[Row], int, int]:
    """Rows, number of rows changed, and the last number the database gave to a row."""
    text, count = _formatted(statement)
    if count != len(parameters):
        raise ServiceError(
            f"wrong number of parameters: the statement needs {count}, {len(parameters)} were given", category="refused"
        )
    async with connection.cursor() as cursor:
        await cursor.execute(text, tuple(map(_bound, parameters)) if parameters else ())
        description = cursor.description
        if not description:
            return [], max(cursor.rowcount, 0), cursor.lastrowid or 0
        names = [column[0] for column in description]
        kinds = [column[1] for column in description]
        found = await cursor.fetchall()
    return [_row(names, kinds, values) for values in found], len(found), 0


def _row(names: Sequence[str], kinds: Sequence[int], values: Sequence[Any]) -> Row:
    return {name: _plain(value, kind) for name, kind, value in zip(names, kinds, values, strict=True)}


def _plain(value: Any, kind: int) -> Any:
    """Rows hold what JSON can."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if kind == _JSON_TYPE and isinstance(value, str | bytes):
        return orjson.loads(value)
    if kind == _VECTOR_TYPE and isinstance(value, bytes):
        return array("f", value).tolist()
    if isinstance(value, timedelta):
        return str(value)
    return value


def _bound(value: Any) -> Any:
    """Lists and objects travel as JSON text, for JSON columns and for `VEC_FromText(?)`."""
    if isinstance(value, list | tuple | dict):
        return orjson.dumps(value).decode()
    return value


@asynccontextmanager
async def _transaction(connection: Any) -> AsyncIterator[None]:
    await connection.begin()
    try:
        yield
    except BaseException:
        await connection.rollback()
        raise
    await connection.commit()


_FOUND_ROWS: Final = 2
"""Rows that match count as changed, even where the new values are the old ones."""


def _code(error: Exception) -> tuple[int, str]:
    code = error.args[0] if error.args else 0
    return (code if isinstance(code, int) else 0), " ".join(str(part) for part in error.args[1:]) or str(error)


def _plain_name(name: str) -> str:
    return name.strip("`").lower()


def _ssl(properties: Mapping[str, str]) -> Any:
    """TLS as the drivers of the original name it; None for none."""
    mode = (properties.get("sslMode") or properties.get("ssl-mode") or "").upper().replace("-", "_")
    if not (mode in ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY", "TRUST", "VERIFY_FULL") or _says_yes(properties)):
        return None
    import ssl

    context = ssl.create_default_context(cafile=properties.get("serverSslCert") or None)
    if not mode.startswith("VERIFY"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _says_yes(properties: Mapping[str, str]) -> bool:
    return any(properties.get(name) == "true" for name in ("useSSL", "useSsl", "requireSSL"))
