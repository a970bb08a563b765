"""A thread that owns one connection. SQLite waits for locks and disks; the event loop must not.

Calls are served in order. Between calls, `tick` runs at the pace it asks for.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    import apsw

T = TypeVar("T")
Outcome: TypeAlias = "tuple[asyncio.Future[Any], Any, BaseException | None]"


class Tick(Protocol):
    """Work between calls."""

    def __call__(self, connection: apsw.Connection) -> float:
        """Do it, and tell in how many seconds to come back."""

    def pace(self) -> float:
        """After a call: in how many seconds to come at the latest."""


class Worker:
    """Runs functions of a connection in its thread."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], apsw.Connection],
        explain: Callable[[Exception], BaseException],
        tick: Tick | None = None,
    ) -> None:
        self._name = name
        self._connect = connect
        self._explain = explain
        self._tick = tick
        self._queue: SimpleQueue[tuple[Callable[[apsw.Connection], Any] | None, asyncio.Future[Any]]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Connect. Raises what `explain` makes of a failure."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        thread = threading.Thread(target=self._run, args=(opened,), name=self._name, daemon=True)
        thread.start()
        try:
            await opened
        except BaseException:
            thread.join(1)
            raise
        self._thread = thread

    async def call(self, function: Callable[[apsw.Connection], T]) -> T:
        """The function's result."""
        if self._thread is None:
            raise RuntimeError("the cluster is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((function, future))
        return await future

    async def close(self) -> None:
        """Serve what was called before, then end."""
        thread, self._thread = self._thread, None
        if thread:
            future: asyncio.Future[None] = self._loop.create_future()
            self._queue.put((None, future))
            await asyncio.shield(future)
            thread.join()

    # --- in the thread ----------------------------------------------------------------------------------------------

    def _run(self, opened: asyncio.Future[None]) -> None:
        try:
            connection = self._connect()
        except Exception as error:
            self._deliver([(opened, None, self._explain(error))])
            return
        self._deliver([(opened, None, None)])
        due = time.monotonic()
        while True:
            try:
                function, future = self._queue.get(timeout=max(0.0, due - time.monotonic()) if self._tick else None)
            except Empty:
                pass
            else:
                if function is None:
                    with suppress(Exception):
                        connection.close()
                    self._deliver([(future, None, None)])
                    return
                self._serve(connection, function, future)
                if self._tick:
                    due = min(due, time.monotonic() + self._tick.pace())
            if self._tick and time.monotonic() >= due:
                due = time.monotonic() + self._tick(connection)

    def _serve(
        self, connection: apsw.Connection, function: Callable[[apsw.Connection], Any], future: asyncio.Future[Any]
    ) -> None:
        self._deliver([self._outcome(connection, function, future)])

    def _outcome(
        self, connection: apsw.Connection, function: Callable[[apsw.Connection], Any], future: asyncio.Future[Any]
    ) -> Outcome:
        try:
            return future, function(connection), None
        except Exception as error:
            return future, None, self._explain(error)

    def _deliver(self, outcomes: Iterable[Outcome]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(_resolve, list(outcomes))


def _resolve(outcomes: Iterable[Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():  # cancelled
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
