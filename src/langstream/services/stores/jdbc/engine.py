"""What a database engine does for the store: queries, statements, and all-or-nothing batches of changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from langstream.services.stores.contract import Row
from langstream.services.stores.threads import Threads

Result = TypeVar("Result")

Statement: TypeAlias = tuple[str, Sequence[Any]]
"""SQL with `?`, and its parameters."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row to write: the first statement is tried; where it changes no row, `otherwise` follows."""

    first: Statement
    otherwise: Statement | None = None


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
