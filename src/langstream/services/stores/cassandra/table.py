"""The table that a `vector-db-sink` writes to.

A batch goes out as many prepared statements at a time, each to a replica of its row, which is how Cassandra wants to
be written to; every row has its own outcome. Rows with the same key go one after the other. Rows carry the record's
timestamp as their write time, so a record that comes again changes nothing, and one that is late does not replace a
newer one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

from langstream.errors import LangStreamError, RecordError, ServiceError
from langstream.services.stores.batches import Outcomes, identity, write_by_key
from langstream.services.stores.cassandra.mapping import TIMESTAMP, TTL, name, quoted
from langstream.services.stores.cassandra.session import CqlSession, parameters_of
from langstream.services.stores.cassandra.sink import MICROSECONDS, CqlSinkConfiguration
from langstream.services.stores.cassandra.values import into
from langstream.services.stores.contract import Table, Write

_PSEUDO: Final = (TTL, TIMESTAMP)
_REMEMBERED: Final = 20_000


class CqlTable(Table):
    """Upserts and deletes rows by primary key."""

    def __init__(self, session: CqlSession, configuration: CqlSinkConfiguration) -> None:
        self._session = session
        self._options = configuration
        keyspace, table = configuration.target()
        self._keyspace, self._table = name(keyspace), name(table)
        self._keys: list[str] = []
        self._others: list[str] = []
        self._all_mapped = False
        self._counters = False
        self._upsert: Any = None
        self._delete: Any = None
        self._times = WriteTimes()
        self._slots = asyncio.Semaphore(configuration.most_requests)

    @property
    def _name(self) -> str:
        return f"{quoted(self._keyspace)}.{quoted(self._table)}"

    def keys(self) -> Sequence[str]:
        return self._keys

    async def start(self) -> None:
        """Compare the mapping with the table. Raises ServiceError (refused) where they do not fit."""
        described = self._described()
        mapped = [source.column for source in self._options.sources()]
        columns = [column for column in mapped if column not in _PSEUDO]
        if self._options.query is not None:
            self._upsert = await self._statement(self._options.query)
            self._others = columns
            return
        self._check(described, columns)
        keys = [column.name for column in described.primary_key]
        self._keys = [column for column in columns if column in keys]
        self._others = [column for column in columns if column not in keys]
        self._counters = any(column.cql_type == "counter" for column in described.columns.values())
        self._all_mapped = set(columns) == set(described.columns) and bool(self._others)
        self._upsert = await self._statement(self._counting() if self._counters else self._inserting())
        self._delete = await self._statement(self._deleting())
        self._upsert.is_idempotent = self._delete.is_idempotent = not self._counters  # may go to another node as well

    def _described(self) -> Any:
        keyspaces = self._session.metadata.keyspaces
        if self._keyspace not in keyspaces:
            raise ServiceError(f"{self._session.where} has no keyspace {self._keyspace}", category="not-found")
        table = keyspaces[self._keyspace].tables.get(self._table)
        if table is None:
            raise ServiceError(
                f"{self._session.where} has no table {self._table} in keyspace {self._keyspace}", category="not-found"
            )
        return table

    def _check(self, described: Any, columns: Sequence[str]) -> None:
        unknown = [column for column in columns if column not in described.columns]
        if unknown:
            raise ServiceError(
                f"mapping: table {self._name} has no column {', '.join(unknown)}; it has "
                f"{', '.join(described.columns)}",
                category="refused",
            )
        missing = [column.name for column in described.primary_key if column.name not in columns]
        if missing:
            raise ServiceError(
                f"mapping: the primary key of {self._name} needs {', '.join(missing)} as well", category="refused"
            )

    async def _statement(self, text: str) -> Any:
        prepared = await self._session.prepared(text)
        if self._options.consistency is not None:
            from cassandra import ConsistencyLevel

            prepared.consistency_level = ConsistencyLevel.name_to_value[self._options.consistency]
        return prepared

    def _inserting(self) -> str:
        columns = [*self._keys, *self._others]
        names = ", ".join(map(quoted, columns))
        marks = ", ".join("?" * len(columns))
        text = f"INSERT INTO {self._name} ({names}) VALUES ({marks}) USING TIMESTAMP ?"  # noqa: S608 — names, quoted
        return text + " AND TTL ?"

    def _counting(self) -> str:
        changes = ", ".join(f"{quoted(column)} = {quoted(column)} + ?" for column in self._others)
        return f"UPDATE {self._name} SET {changes} WHERE {self._where()}"  # noqa: S608

    def _deleting(self) -> str:
        using = "" if self._counters else " USING TIMESTAMP ?"
        return f"DELETE FROM {self._name}{using} WHERE {self._where()}"  # noqa: S608

    def _where(self) -> str:
        return " AND ".join(f"{quoted(column)} = ?" for column in self._keys)

    # --- writing ----------------------------------------------------------------------------------------------------

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        return await write_by_key(writes, self._together, self._together)

    async def _together(self, writes: Sequence[Write]) -> Outcomes:
        return await asyncio.gather(*map(self._one, writes))

    async def _one(self, write: Write) -> Exception | None:
        try:
            statement = self._bound(write)
        except RecordError as error:
            return None if self._options.ignore_errors == "All" else error
        try:
            async with self._slots:
                await self._session.run(statement, self._options.timeout_seconds)
            return None
        except LangStreamError as error:
            return error if self._options.ignore_errors == "None" else None

    def _bound(self, write: Write) -> Any:
        if self._options.query is not None:
            return self._custom(write)
        if write.values is None or self._is_empty(write.values):
            return self._deletion(write)
        return self._insertion(write, write.values)

    def _is_empty(self, values: Mapping[str, Any]) -> bool:
        """Whether these values stand for the deletion of the row."""
        return self._options.deletes_enabled and self._all_mapped and all(values[name] is None for name in self._others)

    def _insertion(self, write: Write, values: Mapping[str, Any]) -> Any:
        from cassandra.query import UNSET_VALUE

        given = {**write.key, **values}
        if self._counters:
            return _bind(self._upsert, [given[column] for column in (*self._others, *self._keys)])
        empty = UNSET_VALUE if self._options.null_to_unset else None
        row = [write.key[column] for column in self._keys]
        row += [empty if given[column] is None else given[column] for column in self._others]
        return _bind(self._upsert, [*row, self._time(write, given), self._ttl(given)])

    def _deletion(self, write: Write) -> Any:
        if not self._options.deletes_enabled:
            raise RecordError("the record has no value, and deletesEnabled is false")
        keys = [write.key[column] for column in self._keys]
        return _bind(self._delete, keys if self._counters else [self._time(write, {}), *keys])

    def _custom(self, write: Write) -> Any:
        if write.values is None:
            raise RecordError("the record has no value, and deletesEnabled is false")
        given = {**write.key, **write.values}
        wanted = [column.name for column in parameters_of(self._upsert)]
        unknown = [column for column in wanted if column not in given]
        if unknown:
            raise RecordError(f"the query asks for {', '.join(unknown)}, which the mapping does not have")
        return _bind(self._upsert, [given[column] for column in wanted])

    def _time(self, write: Write, given: Mapping[str, Any]) -> Any:
        from cassandra.query import UNSET_VALUE

        told = given.get(TIMESTAMP)
        if told is not None:
            return int(_number(told, TIMESTAMP) * MICROSECONDS[self._options.timestamp_unit])
        if write.timestamp is None:
            return UNSET_VALUE
        return self._times.after(identity(write.key), write.timestamp * 1000)

    def _ttl(self, given: Mapping[str, Any]) -> Any:
        from cassandra.query import UNSET_VALUE

        told = given.get(TTL)
        if told is None:
            told = self._options.ttl
        if told is None or (seconds := _number(told, TTL)) < 0:
            return UNSET_VALUE
        return int(seconds * MICROSECONDS[self._options.ttl_unit] / 1_000_000)


class WriteTimes:
    """Write times in microseconds. Records with the same key in the same millisecond keep their order."""

    def __init__(self) -> None:
        self._last: OrderedDict[Hashable, int] = OrderedDict()

    def after(self, key: Hashable, moment: int) -> int:
        """The moment, or just after the last write of the key if that was in the same millisecond."""
        last = self._last.pop(key, None)
        if last is not None and last // 1000 == moment // 1000:
            moment = last + 1
        self._last[key] = moment
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        return moment


def _number(value: Any, column: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise RecordError(f"{column}: expected a number, found {value!r}") from None


def _bind(prepared: Any, values: Sequence[Any]) -> Any:
    from cassandra.query import UNSET_VALUE

    pairs = zip(values, parameters_of(prepared), strict=True)
    converted = [
        value if value is UNSET_VALUE else into(value, column.type, f"column {column.name}") for value, column in pairs
    ]
    try:
        return prepared.bind(converted)
    except (TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"a value does not fit its column: {' '.join(str(error).split())}") from None
