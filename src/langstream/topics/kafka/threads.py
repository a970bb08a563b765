"""Threads for the client's blocking calls, one hop per batch of records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

MOST: Final = 64
"""Calls that wait for the broker at the same time; threads are made as they are needed."""

_T = TypeVar("_T")


class Threads:
    """Runs blocking calls. A call that was begun ends, even if nobody waits for it any more."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MOST, thread_name_prefix="kafka")

    async def run(self, call: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
        """The result of the call."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: call(*arguments, **options))

    async def close(self) -> None:
        """After the calls under way."""
        await asyncio.to_thread(self._pool.shutdown)
