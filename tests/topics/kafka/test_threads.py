"""Blocking calls in threads: results, failures, cancellation, and calls that never end."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from langstream.topics.kafka.threads import MOST, Overdue, Threads
from tests.topics.kafka.moves import until


async def test_a_call_gives_its_result_or_its_failure() -> None:
    threads = Threads()
    assert await threads.run(divmod, 7, 2) == (3, 1)
    assert await threads.run(int, "11", base=2, within_seconds=60) == 3
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0, within_seconds=60)
    await threads.close()


async def test_threads_are_used_again() -> None:
    threads = Threads()
    used = {await threads.run(threading.get_ident) for _ in range(50)}
    assert len(used) == 1
    await threads.close()


async def test_calls_wait_at_the_same_time_and_no_more_than_the_most() -> None:
    threads = Threads()
    barrier = threading.Barrier(MOST)
    used = await asyncio.gather(*(threads.run(_meet, barrier) for _ in range(2 * MOST)))
    assert len(set(used)) == MOST
    await threads.close()


async def test_a_call_that_never_ends_is_given_up_and_takes_nobodys_place() -> None:
    threads = Threads()
    endless = [threading.Event() for _ in range(MOST)]
    given_up = [threads.run(event.wait, within_seconds=0.01) for event in endless]
    assert all(isinstance(each, Overdue) for each in await asyncio.gather(*given_up, return_exceptions=True))
    assert await threads.run(divmod, 7, 2) == (3, 1)
    await threads.close()  # without waiting for them
    for event in endless:
        event.set()


async def test_a_thread_that_comes_back_after_all_works_on() -> None:
    threads = Threads()
    late, found = threading.Event(), []

    def slow() -> None:
        found.append(threading.get_ident())
        late.wait()

    with pytest.raises(Overdue, match=r"0\.05 s"):
        await threads.run(slow, within_seconds=0.05)
    late.set()
    used: list[int] = []
    async with asyncio.timeout(60):
        while found[0] not in used:
            used += await asyncio.gather(*(threads.run(_meet, threading.Barrier(1)) for _ in range(4)))
    await threads.close()


@pytest.mark.parametrize("within_seconds", [None, 60.0])
async def test_a_call_that_was_begun_ends_though_its_caller_is_cancelled(within_seconds: float | None) -> None:
    threads = Threads()
    going, done = threading.Event(), threading.Event()
    running = asyncio.create_task(threads.run(_until, going, done, within_seconds=within_seconds))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    going.set()
    assert await asyncio.to_thread(done.wait, 60)
    await threads.close()


async def test_closing_waits_for_what_is_under_way_and_ends_the_threads() -> None:
    threads = Threads()
    before = _count()
    sleeping = asyncio.create_task(threads.run(time.sleep, 0.05))
    await asyncio.sleep(0)
    await threads.close()
    await sleeping
    await until(lambda: _count() <= before)
    with pytest.raises(RuntimeError, match="closed"):
        await threads.run(time.sleep, 0)


def _meet(barrier: threading.Barrier) -> int:
    barrier.wait(60)
    return threading.get_ident()


def _until(going: threading.Event, done: threading.Event) -> None:
    going.wait(60)
    done.set()


def _count() -> int:
    return sum(thread.name == "kafka call" for thread in threading.enumerate())
