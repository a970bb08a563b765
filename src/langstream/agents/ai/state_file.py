"""What an AI agent remembers on disk: one SQLite file, written by one thread.

Group commit: what many callers hand in while a transaction runs goes into the next one together, so a thousand answers
at a time cost a handful of flushes to disk. Replicas of an agent in one process use the same file.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from langstream.errors import AgentFailed, ServiceError

if TYPE_CHECKING:
    import apsw

T = TypeVar("T")
Work: TypeAlias = "Callable[[apsw.Connection], Any]"

FILE_NAME: Final = "ai-state.sqlite"
MOST_PER_TRANSACTION: Final = 1_000
LOCK_SECONDS: Final = 10
"""Another process may hold the file for a moment: the one before a restart, or a tool that looks inside."""


class StateFile:
    """Runs functions of a connection in its thread. `directory` None: in memory."""

    def __init__(self, directory: Path | None) -> None:
        self.path = directory / FILE_NAME if directory is not None else None
        self._queue: SimpleQueue[tuple[Work | None, asyncio.Future[Any]]] = SimpleQueue()
        self._opened: asyncio.Future[None] | None = None
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Open the file, or wait until somebody else has. Raises AgentFailed."""
        if self._opened is None:
            self._loop = asyncio.get_running_loop()
            self._opened = self._loop.create_future()
            self._thread = threading.Thread(target=self._run, name="langstream-ai-state", daemon=True)
            self._thread.start()
        try:
            await asyncio.shield(self._opened)
        except AgentFailed:
            self._thread = None  # it has ended
            raise

    async def run(self, work: Callable[[apsw.Connection], T]) -> T:
        """The function's result, once its transaction is on disk. Raises ServiceError."""
        return await self.submit(work)

    def submit(self, work: Callable[[apsw.Connection], T]) -> asyncio.Future[T]:
        """The same, without waiting."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((work, future))
        return future

    async def close(self) -> None:
        """Do what was handed in, then close the file."""
        thread, self._thread = self._thread, None
        if thread is not None:
            future: asyncio.Future[None] = self._loop.create_future()
            self._queue.put((None, future))
            await asyncio.shield(future)
            thread.join()

    # --- in the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        assert self._opened is not None
        try:
            connection = self._connect()
        except Exception as error:
            failure = AgentFailed(f"the agent's state cannot be kept in {self.path}: {error}")
            self._deliver([(self._opened, None, failure)])
            return
        self._deliver([(self._opened, None, None)])
        ending: asyncio.Future[Any] | None = None
        while ending is None:
            batch, ending = self._next()
            if batch:
                self._deliver(self._transaction(connection, batch))
        with suppress(Exception):
            connection.close()
        self._deliver([(ending, None, None)])

    def _connect(self) -> apsw.Connection:
        import apsw

        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = apsw.Connection(str(self.path) if self.path is not None else ":memory:")
        connection.set_busy_timeout(LOCK_SECONDS * 1000)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 16777216")
        return connection

    def _next(self) -> tuple[list[tuple[Work, asyncio.Future[Any]]], asyncio.Future[Any] | None]:
        """What waits now, and the future of `close` if that is among it."""
        batch: list[tuple[Work, asyncio.Future[Any]]] = []
        work, future = self._queue.get()
        while True:
            if work is None:
                return batch, future
            batch.append((work, future))
            if len(batch) == MOST_PER_TRANSACTION:
                return batch, None
            try:
                work, future = self._queue.get_nowait()
            except Empty:
                return batch, None

    def _transaction(
        self, connection: apsw.Connection, batch: Sequence[tuple[Work, asyncio.Future[Any]]]
    ) -> list[tuple[asyncio.Future[Any], Any, Exception | None]]:
        outcomes: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
        try:
            with connection:
                for work, future in batch:
                    outcomes.append((future, *self._outcome(connection, work)))
        except Exception as error:  # the commit: nothing of it is on disk
            return [(future, None, self._explained(error)) for _, future in batch]
        return outcomes

    def _outcome(self, connection: apsw.Connection, work: Work) -> tuple[Any, Exception | None]:
        try:
            with connection:  # a savepoint: what fails takes nothing else with it
                result = work(connection)
        except Exception as error:
            return None, self._explained(error)
        return result, None

    def _explained(self, error: Exception) -> ServiceError:
        return ServiceError(f"the agent's state in {self.path or 'memory'} cannot be read or written: {error}")

    def _deliver(self, outcomes: Sequence[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(_resolve, outcomes)


def _resolve(outcomes: Sequence[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    for future, result, error in outcomes:
        if future.done():  # cancelled
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
