"""Where user code runs: a thread of its own for plain methods, an event loop of its own for coroutines.

Nothing here runs user code on the runtime's event loop. Calls and answers cross between the loops in bunches: however
many are waiting, one wake-up carries them all. Threads are daemons, so code that never returns cannot keep the
process alive; errors of every kind, `sys.exit` included, become values.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import Any, TypeAlias

logger = logging.getLogger(__name__)

Answer: TypeAlias = "tuple[asyncio.Future[Any], Any, BaseException | None]"


class CodeFailed(Exception):
    """Carries an exception of user code across threads; futures refuse some kinds (SystemExit, StopIteration)."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class _Outbox:
    """Hands answers to the futures of one loop; one wake-up for all that are waiting."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._answers: deque[Answer] = deque()
        self._announced = False

    def put(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        """Called in any thread."""
        self._answers.append((future, result, error))
        if not self._announced:
            self._announced = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._announced = False  # before emptying: what comes later announces itself again
        while self._answers:
            future, result, error = self._answers.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(CodeFailed(error))


class AgentThread:
    """Runs plain calls of one agent, one after the other, in a thread that starts with the first of them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...], asyncio.Future[Any]] | None] = SimpleQueue()
        self._outbox = _Outbox(asyncio.get_running_loop())
        self._thread: threading.Thread | None = None
        self.busy = False
        """A call is under way."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Queue a call. The future raises CodeFailed when the call raised."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls.put((function, arguments, future))
        return future

    def stop(self) -> None:
        """Let the thread end after the calls queued so far."""
        self._calls.put(None)

    def interrupt(self) -> None:
        """Raise SystemExit inside a call that does not end. It takes effect when the call next runs Python code."""
        if self._thread is not None and self._thread.is_alive() and self._thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident), ctypes.py_object(SystemExit))

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            function, arguments, future = call
            if future.cancelled():
                continue
            result, failure = None, None
            self.busy = True
            try:
                result = function(*arguments)
            except BaseException as error:  # sys.exit is a failure of the call, not of the thread
                failure = error
            self.busy = False
            self._outbox.put(future, result, failure)
            del call, function, arguments, future, result, failure  # keep nothing alive while waiting


class AgentLoop:
    """Runs the coroutines of one agent on an event loop in a thread of its own, all at the same time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._outbox = _Outbox(asyncio.get_running_loop())
        self._inbox: deque[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]] = deque()
        self._announced = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def submit(self, function: Callable[[], Awaitable[Any]]) -> asyncio.Future[Any]:
        """Call the function on the agent's loop and await what it returns. The future raises CodeFailed."""
        loop = self._running()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._inbox.append((function, future))
        if not self._announced:
            self._announced = True
            loop.call_soon_threadsafe(self._begin)
        return future

    def stop(self) -> None:
        """Cancel what is running and end the thread."""
        if self._loop is not None and not self._stopping:
            self._stopping = True
            self._loop.call_soon_threadsafe(self._cancel)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._work, args=(self._loop,), name=self._name, daemon=True).start()
        return self._loop

    def _begin(self) -> None:
        self._announced = False
        assert self._loop is not None
        while self._inbox:
            task = self._loop.create_task(self._run(*self._inbox.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, function: Callable[[], Awaitable[Any]], future: asyncio.Future[Any]) -> None:
        try:
            self._outbox.put(future, await function(), None)
        except BaseException as error:  # a task that raises SystemExit would end its loop
            self._outbox.put(future, None, error)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        while not self._stopping:
            try:
                loop.run_forever()
            except BaseException:  # a task of the user's own called sys.exit
                logger.exception("%s: a background task tried to end the process", self._name)
        try:
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    def _cancel(self) -> None:
        assert self._loop is not None
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_soon(self._wind_down, 10)

    def _wind_down(self, rounds: int) -> None:
        """Give cancelled tasks a few turns of the loop to clean up, then stop it."""
        assert self._loop is not None
        if rounds and asyncio.all_tasks(self._loop):
            self._loop.call_later(0.01, self._wind_down, rounds - 1)
        else:
            self._loop.stop()
