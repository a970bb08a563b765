"""What a database engine does for the store: queries, statements, and all-or-nothing batches of changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from langstream.services.stores.contract import Row, Write
from langstream.services.stores.threads import Threads

Result = TypeVar("Result")

Statement: TypeAlias = tuple[str, Sequence[Any]]
"""SQL with `?`, and its parameters."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row to write: the first statement is tried; where it changes no row, `otherwise` follows."""

    first: Statement
    otherwise: Statement | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """The table that a sink writes to: its name, the columns of its key, and the others."""

    table: str
    keys: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, those of the key first."""
        return self.keys + self.others

    def key(self, write: Write) -> list[Any]:
        """The values of the key."""
        return [write.key[name] for name in self.keys]

    def row(self, write: Write) -> list[Any]:
        """The values of all columns."""
        key, values = write.key, write.values or {}
        return [key[name] for name in self.keys] + [values[name] for name in self.others]


class Rows(ABC):
    """The rows of one table. Either method makes all of its changes or none; no key stands twice in a call."""

    limit = 1000
    """So many writes at most in a call."""

    packers: Mapping[str, Callable[[Any], Any]] = MappingProxyType({})
    """What makes the values of a column compact, by column."""

    @abstractmethod
    async def upsert(self, writes: Sequence[Write]) -> None:
        """Insert or replace."""

    @abstractmethod
    async def delete(self, writes: Sequence[Write]) -> None:
        """Delete those that exist."""


class Engine(ABC):
    """One database. Errors are `ServiceError`s."""

    @abstractmethod
    async def start(self) -> None:
        """Open it."""

    @abstractmethod
    async def close(self) -> None:
        """Let go."""

    @abstractmethod
    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        """The rows of a query."""

    @abstractmethod
    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str]
    ) -> Mapping[str, Any]:
        """`{"count": n}`, with `generatedKeys` where asked for."""

    @abstractmethod
    async def apply(self, changes: Sequence[Change]) -> None:
        """Make all changes in one transaction, or none."""

    @abstractmethod
    async def has_table(self, name: str) -> bool:
        """Whether a table of that name exists, whatever its letter case."""

    async def rows(self, shape: Shape) -> Rows:
        """The rows of a table, written to in the best way there is."""
        return ChangedRows(self, shape)


class ChangedRows(Rows):
    """Rows of any table of any database: updated, and inserted where there was nothing to update."""

    def __init__(self, engine: Engine, shape: Shape) -> None:
        self._engine = engine
        self._shape = shape
        where = " AND ".join(f"{name} = ?" for name in shape.keys)
        # Names come from the application's own files, which also hold its SQL; values are always bound.
        self._delete = f"DELETE FROM {shape.table} WHERE {where}"  # noqa: S608
        self._insert = (
            f"INSERT INTO {shape.table} ({', '.join(shape.columns)}) "  # noqa: S608
            f"VALUES ({', '.join('?' * len(shape.columns))})"
        )
        self._changed = shape.others or shape.keys
        values = ", ".join(f"{name} = ?" for name in self._changed)
        self._update = f"UPDATE {shape.table} SET {values} WHERE {where}"  # noqa: S608

    async def upsert(self, writes: Sequence[Write]) -> None:
        await self._engine.apply([self._change(write) for write in writes])

    async def delete(self, writes: Sequence[Write]) -> None:
        await self._engine.apply([Change((self._delete, self._shape.key(write))) for write in writes])

    def _change(self, write: Write) -> Change:
        row = dict(zip(self._shape.columns, self._shape.row(write), strict=True))
        update = [*(row[name] for name in self._changed), *self._shape.key(write)]
        return Change((self._update, update), (self._insert, list(row.values())))


def with_returning(statement: str, generated_keys: Sequence[str]) -> str:
    """The statement, returning the columns that the database fills in."""
    text = statement.rstrip().rstrip(";")
    return f"{text} RETURNING {', '.join(generated_keys)}" if generated_keys else text


def executed(count: int, generated_keys: Sequence[str], rows: Sequence[Row]) -> dict[str, Any]:
    """The result of a statement; of several generated rows the last one counts, as in the original."""
    result: dict[str, Any] = {"count": count}
    if generated_keys and rows:
        result["generatedKeys"] = rows[-1]
    return result


class BlockingEngine(Engine):
    """Base of engines whose driver blocks: work runs on a few threads of their own, one hop per call."""

    threads = 4

    def __init__(self) -> None:
        self._pool = Threads("sql", self.threads)

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await self._pool.run(work)

    async def close(self) -> None:
        await self._pool.close()
        self._disconnect()

    @abstractmethod
    def _disconnect(self) -> None:
        """Close every connection; no work is under way."""
