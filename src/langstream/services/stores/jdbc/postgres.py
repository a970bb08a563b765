"""PostgreSQL, behind `jdbc:postgresql:` URLs: a pool of asyncpg connections. pgvector columns take and give lists."""

from __future__ import annotations

import re
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from langstream.errors import ServiceError
from langstream.services.stores.contract import Row
from langstream.services.stores.jdbc.engine import (
    Change,
    ChangedRows,
    Engine,
    Rows,
    Shape,
    Statement,
    executed,
    with_returning,
)
from langstream.services.stores.jdbc.postgres_rows import bulk_rows
from langstream.services.stores.jdbc.postgres_values import converted, plain, prepare_connection
from langstream.services.stores.jdbc.sql import numbered
from langstream.services.stores.jdbc.url import Server

POOL_SIZE = 8
CONNECT_TIMEOUT_SECONDS = 10.0
_EXTENSION = re.compile(r"\s*create\s+extension\b", re.IGNORECASE)


class PostgresEngine(Engine):
    """A pool of connections; a broken one is replaced when it is next needed."""

    def __init__(self, server: Server, properties: Mapping[str, str]) -> None:
        self._server = server
        self._properties = properties
        self._pool: Any = None

    async def start(self) -> None:
        try:
            import asyncpg
        except ImportError:
            raise ServiceError(
                "the PostgreSQL driver is not installed: pip install 'langstream[postgresql]'", category="refused"
            ) from None
        properties = self._properties
        async with _failures(self._where()):
            self._pool = await asyncpg.create_pool(
                host=self._server.host,
                port=self._server.port,
                database=self._server.database or None,
                user=properties.get("user") or properties.get("username"),
                password=properties.get("password"),
                ssl=_ssl_mode(properties),
                min_size=1,
                max_size=POOL_SIZE,
                timeout=CONNECT_TIMEOUT_SECONDS,
                init=prepare_connection,
                reset=_keep_session,
            )

    def _where(self) -> str:
        return f"PostgreSQL at {self._server.host}:{self._server.port}/{self._server.database}"

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close()

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        async with self._connection() as connection:
            rows, _ = await _run(connection, (statement, parameters))
            return rows

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str]
    ) -> Mapping[str, Any]:
        async with self._connection() as connection:
            rows, count = await _run(connection, (with_returning(statement, generated_keys), parameters))
        if _EXTENSION.match(statement):
            await self._pool.expire_connections()  # those made from now on know the types of the extension
        return executed(count, generated_keys, rows)

    async def apply(self, changes: Sequence[Change]) -> None:
        async with self._connection() as connection, connection.transaction():
            for change in changes:
                _, count = await _run(connection, change.first)
                if change.otherwise is not None and count == 0:
                    await _run(connection, change.otherwise)

    async def rows(self, shape: Shape) -> Rows:
        async with self._connection() as connection:
            found = await bulk_rows(connection, shape, self._connection)
        return found or ChangedRows(self, shape)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        async with _failures(self._where()), self._pool.acquire() as connection:
            yield connection

    async def has_table(self, name: str) -> bool:
        schema, dot, table = name.rpartition(".")
        condition = "lower(table_name) = lower(?)" + (" AND lower(table_schema) = lower(?)" if dot else "")
        parameters = [table, schema] if dot else [name]
        return bool(await self.query(f"SELECT 1 FROM information_schema.tables WHERE {condition}", parameters))  # noqa: S608


async def _keep_session(connection: Any) -> None:
    """Nothing to reset between uses: no statement here leaves session state behind."""


async def _run(connection: Any, statement: Statement) -> tuple[list[Row], int]:
    text, parameters = statement
    prepared = await connection.prepare(_numbered(text))
    types = prepared.get_parameters()
    if len(types) != len(parameters):
        raise ServiceError(
            f"wrong number of parameters: the statement needs {len(types)}, {len(parameters)} were given",
            category="refused",
        )
    values = [converted(value, kind.name) for value, kind in zip(parameters, types, strict=True)]
    rows = [{name: plain(value) for name, value in row.items()} for row in await prepared.fetch(*values)]
    words = (prepared.get_statusmsg() or "").split()
    return rows, int(words[-1]) if words and words[-1].isdigit() else 0


@lru_cache(maxsize=256)
def _numbered(statement: str) -> str:
    return numbered(statement)


def _ssl_mode(properties: Mapping[str, str]) -> str:
    return properties.get("sslmode") or ("require" if properties.get("ssl") == "true" else "prefer")


@asynccontextmanager
async def _failures(where: str) -> AsyncIterator[None]:
    """Driver errors as ServiceErrors: lost connections and conflicts may be tried again, refused statements not."""
    import asyncpg

    try:
        yield
    except ServiceError:
        raise
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise ServiceError(f"{where} refused the login: {error}", category="authentication") from error
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        asyncpg.SerializationError,
        asyncpg.DeadlockDetectedError,
        asyncpg.TooManyConnectionsError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
    ) as error:
        if isinstance(error, asyncpg.DataError):
            raise ServiceError(f"{where} refused the parameters: {error}", category="refused") from error
        raise ServiceError(f"{where} cannot be used now: {error or type(error).__name__}") from error
    except (asyncpg.PostgresError, ValueError, TypeError, struct.error) as error:
        raise ServiceError(f"{where} refused the statement: {error}", category="refused") from error
