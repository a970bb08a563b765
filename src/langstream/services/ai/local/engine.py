"""The encoder as the event loop sees it: one model in one thread, shared by every agent with the same options."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from langstream.services.ai.local.model import SIZE, SentenceModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Result = TypeVar("Result")
Key: TypeAlias = "tuple[int, Path | None]"


class Engine:
    """Loads the model when first asked to; one run at a time, each using `threads` threads."""

    def __init__(self, threads: int, cache_directory: Path | None) -> None:
        self._threads = threads
        self._cache_directory = cache_directory
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="local-ai")
        self._model: SentenceModel | None = None

    async def load(self) -> None:
        """Have the model ready. Raises ServiceError if it is not installed."""
        await self._in_thread(self._loaded)

    async def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], int]:
        """The vectors as a matrix, one row per text in order, and how many tokens there were."""
        import numpy as np

        vectors = np.zeros((len(texts), SIZE), np.float32)
        tokens = 0
        if not texts:
            return vectors, tokens
        for batch in await self._in_thread(lambda: self._loaded().batches(texts)):
            vectors[list(batch.positions)] = await self._in_thread(lambda batch=batch: self._loaded().run(batch))
            tokens += batch.tokens
        return vectors, tokens

    def close(self) -> None:
        """Let the thread end; whatever it does now is finished first."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _loaded(self) -> SentenceModel:
        if self._model is None:
            self._model = SentenceModel.load(self._threads, self._cache_directory)
        return self._model

    async def _in_thread(self, work: Callable[..., Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


class Engines:
    """Hands out engines and closes each when its last user has gone."""

    def __init__(self, make: Callable[[int, Path | None], Any] = Engine) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._used: dict[Key, tuple[Engine, int]] = {}

    def take(self, key: Key) -> Engine:
        """The engine with these options."""
        with self._lock:
            engine, users = self._used.get(key) or (self._make(*key), 0)
            self._used[key] = engine, users + 1
            return engine

    def give_back(self, key: Key) -> None:
        """One user less."""
        with self._lock:
            engine, users = self._used.pop(key)
            if users > 1:
                self._used[key] = engine, users - 1
            else:
                engine.close()
