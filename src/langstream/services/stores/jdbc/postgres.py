"""PostgreSQL, behind `jdbc:postgresql:` URLs: a pool of asyncpg connections. pgvector columns take and give lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from langstream.errors import ServiceError
from langstream.services.stores.contract import Row
from langstream.services.stores.jdbc.engine import Change, Engine, Statement, executed, with_returning
from langstream.services.stores.jdbc.sql import numbered
from langstream.services.stores.jdbc.url import Server

POOL_SIZE = 8
CONNECT_TIMEOUT_SECONDS = 10.0


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
                init=_prepare_connection,
                reset=_keep_session,
            )

    def _where(self) -> str:
        return f"PostgreSQL at {self._server.host}:{self._server.port}/{self._server.database}"

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close()

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        async with _failures(self._where()), self._pool.acquire() as connection:
            rows, _ = await _run(connection, (statement, parameters))
            return rows

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str]
    ) -> Mapping[str, Any]:
        async with _failures(self._where()), self._pool.acquire() as connection:
            rows, count = await _run(connection, (with_returning(statement, generated_keys), parameters))
            return executed(count, generated_keys, rows)

    async def apply(self, changes: Sequence[Change]) -> None:
        async with _failures(self._where()), self._pool.acquire() as connection, connection.transaction():
            for change in changes:
                _, count = await _run(connection, change.first)
                if change.otherwise is not None and count == 0:
                    await _run(connection, change.otherwise)

    async def has_table(self, name: str) -> bool:
        schema, dot, table = name.rpartition(".")
        condition = "lower(table_name) = lower(?)" + (" AND lower(table_schema) = lower(?)" if dot else "")
        parameters = [table, schema] if dot else [name]
        return bool(await self.query(f"SELECT 1 FROM information_schema.tables WHERE {condition}", parameters))  # noqa: S608


async def _prepare_connection(connection: Any) -> None:
    """Vectors and JSON travel as text: asyncpg has no codec of its own for them."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads
        )
    schema = await connection.fetchval(
        "SELECT n.nspname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typname = 'vector'"
    )
    if schema:
        await connection.set_type_codec("vector", schema=schema, encoder=_vector_text, decoder=orjson.loads)


async def _keep_session(connection: Any) -> None:
    """Nothing to reset between uses: no statement here leaves session state behind."""


def _vector_text(value: Any) -> str:
    return value if isinstance(value, str) else "[" + ",".join(repr(float(item)) for item in value) + "]"


async def _run(connection: Any, statement: Statement) -> tuple[list[Row], int]:
    text, parameters = statement
    prepared = await connection.prepare(_numbered(text))
    types = prepared.get_parameters()
    if len(types) != len(parameters):
        raise ServiceError(
            f"wrong number of parameters: the statement needs {len(types)}, {len(parameters)} were given",
            category="refused",
        )
    values = [_converted(value, kind.name) for value, kind in zip(parameters, types, strict=True)]
    rows = [{name: _plain(value) for name, value in row.items()} for row in await prepared.fetch(*values)]
    words = (prepared.get_statusmsg() or "").split()
    return rows, int(words[-1]) if words and words[-1].isdigit() else 0


@lru_cache(maxsize=256)
def _numbered(statement: str) -> str:
    return numbered(statement)


def _converted(value: Any, kind: str) -> Any:
    """The Python object that the driver wants for a parameter of this type; text is parsed where that is needed."""
    if value is None:
        return None
    if kind in ("int2", "int4", "int8") and not isinstance(value, bool):
        return int(value)
    if kind in ("float4", "float8"):
        return float(value)
    if kind == "numeric":
        return Decimal(str(value))
    if kind in ("text", "varchar", "bpchar", "name"):
        return value if isinstance(value, str) else _text(value)
    if kind == "bool" and isinstance(value, str):
        return value.lower() == "true"
    if kind in ("timestamp", "timestamptz", "date", "time"):
        return _moment(value, kind)
    if kind == "uuid" and isinstance(value, str):
        return UUID(value)
    if kind == "bytea" and isinstance(value, str):
        return value.encode()
    return value


def _moment(value: Any, kind: str) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        from datetime import UTC

        value = datetime.fromtimestamp(value / 1000, UTC)
        value = value if kind == "timestamptz" else value.replace(tzinfo=None)
    if isinstance(value, str):
        parser = {"date": date.fromisoformat, "time": time.fromisoformat}.get(kind, datetime.fromisoformat)
        return parser(value)
    return value.date() if kind == "date" and isinstance(value, datetime) else value


def _text(value: Any) -> str:
    return orjson.dumps(value).decode() if isinstance(value, dict | list | bool) else str(value)


def _plain(value: Any) -> Any:
    """Rows hold what JSON can: exact decimals become numbers, identifiers text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, UUID):
        return str(value)
    return value


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
    except (asyncpg.PostgresError, ValueError, TypeError) as error:
        raise ServiceError(f"{where} refused the statement: {error}", category="refused") from error
