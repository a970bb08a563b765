"""Threads for the client's blocking calls, one hop per batch of records.

They are daemons, and calls may be given up: librdkafka's calls have time limits of their own, but now and then one that
concerns a transaction never returns when the coordinator goes away in the middle of it. Such a call keeps its thread
until the process ends; nobody else waits for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, TypeVar

MOST: Final = 64
"""Calls that wait for the broker at the same time; threads are made as they are needed."""

_T = TypeVar("_T")


class Overdue(Exception):
    """The call was given up. Nobody knows whether it has done its work, or will."""


@dataclass(slots=True, eq=False)
class _Job:
    call: Callable[[], Any]
    answer: asyncio.Future[Any]
    given_up: bool = False
    ended: bool = False


class Threads:
    """Runs blocking calls. A call that was begun ends, even if nobody waits for it any more. Used on one event loop."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._workers = 0
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    async def run(
        self, call: Callable[..., _T], *arguments: Any, within_seconds: float | None = None, **options: Any
    ) -> _T:
        """The result of the call. Raises Overdue if it takes longer than `within_seconds`."""
        if self._closed:
            raise RuntimeError("the cluster is closed")
        loop = asyncio.get_running_loop()
        job = _Job(partial(call, *arguments, **options), loop.create_future())
        self._under_way += 1
        self._idle.clear()
        if self._under_way > self._workers and self._workers < MOST:
            self._workers += 1
            threading.Thread(target=self._work, args=(loop,), name="kafka call", daemon=True).start()
        self._jobs.put(job)
        if within_seconds is None:
            return await job.answer  # type: ignore[no-any-return]
        try:
            done, _ = await asyncio.wait([job.answer], timeout=within_seconds)
        except asyncio.CancelledError:
            job.answer.cancel()
            loop.call_later(within_seconds, self._give_up, job)  # whoever closes must not wait for it for ever
            raise
        if not done:
            self._give_up(job)
            raise Overdue(f"a call of the Kafka client did not end in {within_seconds:g} s")
        return job.answer.result()  # type: ignore[no-any-return]

    async def close(self) -> None:
        """After the calls under way, but for those that were given up."""
        self._closed = True
        await self._idle.wait()
        for _ in range(self._workers):
            self._jobs.put(None)

    def _give_up(self, job: _Job) -> None:
        if job.ended:
            return
        job.given_up = True
        self._workers -= 1
        self._ended()

    def _ended(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()

    def _finish(self, job: _Job, result: Any, error: BaseException | None) -> None:
        """On the event loop: the call came to its end."""
        job.ended = True
        if job.given_up:  # the thread is back among those that work
            self._workers += 1
            if self._closed:
                self._jobs.put(None)
            return
        self._ended()
        if job.answer.done():  # whoever waited was cancelled
            return
        if error is not None:
            job.answer.set_exception(error)
        else:
            job.answer.set_result(result)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread."""
        while (job := self._jobs.get()) is not None:
            result, error = None, None
            try:
                result = job.call()
            except BaseException as raised:
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody is interested any more
                loop.call_soon_threadsafe(self._finish, job, result, error)
            del job, result, error  # a client must not live on here
