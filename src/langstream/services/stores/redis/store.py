"""Queries to Redis, and hashes written to by sinks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from langstream.errors import RecordError, ServiceError
from langstream.services.ai.failures import scrubbed
from langstream.services.stores.batches import write_by_key
from langstream.services.stores.contract import Row, Store, Table, Write
from langstream.services.stores.query_template import bound, options
from langstream.services.stores.redis.configuration import RedisConfiguration, RedisSinkConfiguration
from langstream.services.stores.redis.hashes import argument, read, written
from langstream.services.stores.redis.nearest import nearest
from langstream.services.stores.redis.queries import CollectionQuery, CommandQuery, plain, rows_of

CONNECTIONS: Final = 16
ATTEMPTS: Final = 3
SCAN_SIZE: Final = 500
"""Keys asked for at once when a collection is looked through."""


class RedisStore(Store):
    """A datasource with `service: redis`."""

    def __init__(self, configuration: RedisConfiguration, data_directory: Path | None) -> None:
        self._configuration = configuration
        self._client: Any = None

    async def start(self) -> None:
        try:
            from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
            from redis.asyncio.retry import Retry
            from redis.backoff import ExponentialWithJitterBackoff
        except ImportError:
            raise ServiceError(
                "the Redis client is not installed: pip install 'langstream[redis]'", category="refused"
            ) from None
        configuration = self._configuration
        tls: dict[str, Any] = {"connection_class": SSLConnection} if configuration.ssl else {}
        pool = BlockingConnectionPool(
            max_connections=CONNECTIONS,
            timeout=configuration.timeout_seconds,
            host=configuration.host,
            port=configuration.port,
            username=configuration.username,
            password=configuration.password,
            db=configuration.database,
            socket_timeout=configuration.timeout_seconds,
            socket_connect_timeout=min(10.0, configuration.timeout_seconds),
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1.0), ATTEMPTS),
            protocol=2,
            **tls,
        )
        self._client = Redis.from_pool(pool)
        await self.run("PING")

    async def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def run(self, *command: Any) -> Any:
        """The reply to one command. Raises ServiceError."""
        async with self._failures():
            return await self._client.execute_command(*command)

    async def run_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The replies to commands that happen together, or not at all."""
        async with self._failures(), self._client.pipeline(transaction=True) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[Any] = await pipeline.execute()
            return replies

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        query = bound(statement, parameters)
        if "command" in query:
            command = _command(query)
            return rows_of(command, await self.run(*command))
        return await self._search(options(CollectionQuery, query, "Redis"))

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        reply = await self.run(*_command(bound(statement, parameters)))
        return {"count": reply} if type(reply) is int else {"result": plain(reply)}

    async def _search(self, query: CollectionQuery) -> list[Row]:
        ids = query.wanted()
        if ids is not None:
            rows = await self._rows([key_of(query.collection_name, [id]) for id in ids])
        else:
            rows = [row async for row in self._all(query.collection_name)]
        rows = [row for row in rows if all(_matches(row.get(name), value) for name, value in query.filter.items())]
        if query.vector is not None:
            rows = await asyncio.to_thread(nearest, rows, query.vector, query.vector_field, query.metric, query.limit)
        elif ids is None:
            rows = rows[: query.limit]
        if query.output_fields is None:
            return rows
        return [{name: row.get(name) for name in query.output_fields} for row in rows]

    async def _all(self, collection: str) -> AsyncIterator[Row]:
        """Every row of a collection, in no order."""
        cursor, seen = 0, set[bytes]()
        while True:
            cursor, keys = await self.run("SCAN", cursor, "MATCH", _pattern(collection), "COUNT", SCAN_SIZE)
            new = [key for key in keys if key not in seen]
            seen.update(new)
            for row in await self._rows(new):
                yield row
            if cursor in (0, b"0"):
                return

    async def _rows(self, keys: Sequence[Any]) -> list[Row]:
        hashes = await self.run_all([("HGETALL", key) for key in keys]) if keys else []
        return [read(fields) for fields in hashes if fields]

    def table(self, configuration: RedisSinkConfiguration) -> Table:
        return RedisCollection(self, configuration)

    @asynccontextmanager
    async def _failures(self) -> AsyncIterator[None]:
        """Errors of the client as ServiceErrors."""
        from redis import exceptions

        where = f"Redis at {self._configuration.host}:{self._configuration.port}"
        if self._client is None:
            raise ServiceError(f"{where} is not connected: start() comes first", category="refused")
        try:
            yield
        except exceptions.RedisError as error:
            words = scrubbed(str(error), [self._configuration.password or ""])
            raise ServiceError(f"{where}: {words}", category=_category(error)) from None
        except (OSError, TimeoutError) as error:
            raise ServiceError(f"{where} cannot be used now: {str(error) or type(error).__name__}") from None


class RedisCollection(Table):
    """The hashes of a sink. A batch happens whole or not at all."""

    def __init__(self, store: RedisStore, configuration: RedisSinkConfiguration) -> None:
        self._store = store
        self._collection = configuration.collection_name
        self._vector = configuration.vector_field

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        problems = [self._problem(write) for write in writes]
        good = [write for write, problem in zip(writes, problems, strict=True) if problem is None]
        outcomes = iter(await write_by_key(good, self._upsert, self._delete))
        return [problem or next(outcomes) for problem in problems]

    def _problem(self, write: Write) -> Exception | None:
        vector = (write.values or {}).get(self._vector or "")
        if vector is None or (isinstance(vector, list | tuple) and all(type(item) in (int, float) for item in vector)):
            return None
        return RecordError(f"the field '{self._vector}' must be a list of numbers, it is a {type(vector).__name__}")

    async def _upsert(self, writes: Sequence[Write]) -> None:
        commands: list[list[Any]] = []
        for write in writes:
            key = key_of(self._collection, list(write.key.values()))
            row = {**write.key, **(write.values or {})}
            vector = row.get(self._vector or "")
            if vector:
                row[self._vector or ""] = [float(item) for item in vector]
            fields = [part for pair in written(row).items() for part in pair]
            commands += [["DEL", key], ["HSET", key, *fields]]
        await self._store.run_all(commands)

    async def _delete(self, writes: Sequence[Write]) -> None:
        await self._store.run("DEL", *(key_of(self._collection, list(write.key.values())) for write in writes))


def key_of(collection: str, values: Sequence[Any]) -> str:
    """The name of a row's hash."""
    return ":".join([collection, *(plain(argument(value)) for value in values)])


def _command(query: Mapping[str, Any]) -> list[Any]:
    return [argument(word) for word in options(CommandQuery, query, "Redis").command]


def _matches(found: Any, wanted: Any) -> bool:
    return found in wanted if isinstance(wanted, list) else bool(found == wanted)


def _pattern(collection: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?[]^-\\" else letter for letter in collection) + ":*"


def _category(error: Exception) -> str:
    from redis import exceptions

    text = str(error)
    login = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)
    if isinstance(error, login) or text.startswith(("WRONGPASS", "NOAUTH", "NOPERM")):
        return "authentication"
    passing = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ReadOnlyError)
    if isinstance(error, passing) or text.startswith(("LOADING", "OOM", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN")):
        return "transient"
    return "refused"
