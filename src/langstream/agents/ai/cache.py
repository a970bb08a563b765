"""The cache: identical questions have one answer for a while.

Identical means: the same messages or prompts and options, for the same services and models. Those who ask while the
answer is under way listen to the same call; it ends when the last of them goes away. Answers are replayed piece by
piece. The cache is bounded in entries, bytes and time; with a file it survives restarts.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from langstream.agents.ai.kept_answer import decoded, encoded
from langstream.agents.ai.model_call import Answered, Asked, Asker
from langstream.agents.ai.operations import CacheOptions
from langstream.agents.ai.state_file import StateFile
from langstream.sdk.contract import Counter
from langstream.services.ai.contract import Chunk

if TYPE_CHECKING:
    import apsw

LOG = logging.getLogger(__name__)

_TABLE: Final = "CREATE TABLE IF NOT EXISTS cache (key BLOB PRIMARY KEY, at REAL NOT NULL, answer BLOB NOT NULL)"


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, as bytes, and when it came."""

    at: float
    content: bytes


class Cache:
    """Shared by the replicas of an agent. The entry used last is at the end."""

    def __init__(self, options: CacheOptions, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._clock = clock
        self._entries: dict[bytes, Kept] = {}
        self._bytes = 0
        self._file: StateFile | None = None
        self.flights: dict[bytes, Flight] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Of all answers together."""
        return self._bytes

    async def load(self, file: StateFile) -> None:
        """Take what an earlier run left in the file, and write to it from now on. Raises ServiceError."""
        if self._file is not None:
            self._file = file
            return
        self._file = file
        oldest = self._clock() - self._options.ttl_seconds

        def read(connection: apsw.Connection) -> list[Any]:
            connection.execute(_TABLE)
            connection.execute("DELETE FROM cache WHERE at < ?", (oldest,))
            return list(connection.execute("SELECT key, at, answer FROM cache ORDER BY at"))

        for key, at, content in await file.run(read):
            self._keep(key, Kept(at, content))
        self._make_room()

    def get(self, key: bytes) -> bytes | None:
        """The answer, if there is a good one."""
        kept = self._entries.pop(key, None)
        if kept is None:
            return None
        if kept.at < self._clock() - self._options.ttl_seconds:
            self._bytes -= len(kept.content)
            return None
        self._entries[key] = kept
        return kept.content

    def put(self, key: bytes, content: bytes) -> None:
        """Keep the answer, unless it is greater than the whole cache."""
        if len(content) > self._options.max_bytes:
            return
        kept = Kept(self._clock(), content)
        self._keep(key, kept)
        doomed = self._make_room()
        if self._file is not None:
            work = _writing(key, kept, doomed)
            self._file.submit(work).add_done_callback(_noticed)

    def _keep(self, key: bytes, kept: Kept) -> None:
        replaced = self._entries.pop(key, None)
        self._bytes += len(kept.content) - (len(replaced.content) if replaced else 0)
        self._entries[key] = kept

    def _make_room(self) -> list[bytes]:
        doomed = []
        while len(self._entries) > self._options.max_entries or self._bytes > self._options.max_bytes:
            key = next(iter(self._entries))
            self._bytes -= len(self._entries.pop(key).content)
            doomed.append(key)
        return doomed


class Flight:
    """An answer under way, and those who listen to it."""

    def __init__(self, key: bytes, cache: Cache, inner: Asker, asked: Asked) -> None:
        self._key = key
        self._cache = cache
        self._inner = inner
        self._asked = asked
        self._chunks: list[Chunk] = []
        self._error: Exception | None = None
        self._done = False
        self._more = asyncio.Event()
        self._listeners = 0
        cache.flights[key] = self
        self._task = asyncio.create_task(self._fly(), name="ai-cache-flight")

    @property
    def answered(self) -> Answered | None:
        """Who answered, once the last piece is there."""
        return self._asked.answered

    async def listen(self) -> AsyncGenerator[Chunk, None]:
        """The pieces from the first one on. Raises what the call failed of."""
        self._listeners += 1
        try:
            position = 0
            while True:
                while position < len(self._chunks):
                    yield self._chunks[position]
                    position += 1
                if self._done:
                    if self._error is not None:
                        raise self._error
                    return
                await self._more.wait()
        finally:
            self._listeners -= 1
            if not self._listeners and not self._done:
                self._land()
                self._task.cancel()
                with suppress(asyncio.CancelledError):
                    await self._task

    async def _fly(self) -> None:
        try:
            async with aclosing(self._inner(self._asked)) as chunks:
                async for chunk in chunks:
                    self._chunks.append(chunk)
                    if chunk.last and self._asked.answered is not None:
                        self._cache.put(self._key, encoded(self._chunks, self._asked.answered))
                    self._tell()
        except Exception as error:
            self._error = error
        finally:
            self._done = True
            self._land()
            self._more.set()

    def _tell(self) -> None:
        """Wake the listeners; the next piece has an event of its own."""
        more, self._more = self._more, asyncio.Event()
        more.set()

    def _land(self) -> None:
        if self._cache.flights.get(self._key) is self:
            del self._cache.flights[self._key]


def cached(cache: Cache, inner: Asker, scope: bytes, hits: Counter) -> Asker:
    """The layer. `scope` stands for the services and models that may answer."""

    async def ask(asked: Asked) -> AsyncGenerator[Chunk, None]:
        key = scope + asked.call.digest()
        content = cache.get(key) if not asked.anew else None
        if content is not None:
            hits.inc()
            kept = decoded(content)
            asked.answered = _free(kept.answered)
            for chunk in kept.replayed():
                yield chunk
            return
        flight = cache.flights.get(key) if not asked.avoid else None
        mine = flight is None
        if flight is None:
            flight = Flight(key, cache, inner, Asked(asked.call, anew=asked.anew, avoid=asked.avoid))
        else:
            hits.inc()
        answer_id = "" if mine else str(uuid.uuid4())  # readers tell streams by it
        async with aclosing(flight.listen()) as chunks:
            async for chunk in chunks:
                if chunk.last and flight.answered is not None:
                    asked.answered = flight.answered if mine else _free(flight.answered)
                yield chunk if mine else replace(chunk, answer_id=answer_id)

    return ask


def _free(answered: Answered) -> Answered:
    """Who answered; this record pays nothing for it."""
    return Answered(answered.service, answered.model, cost=None if answered.cost is None else 0.0)


def _writing(key: bytes, kept: Kept, doomed: list[bytes]) -> Callable[[apsw.Connection], None]:
    def write(connection: apsw.Connection) -> None:
        connection.executemany("DELETE FROM cache WHERE key = ?", [(each,) for each in doomed])
        connection.execute("INSERT OR REPLACE INTO cache VALUES (?, ?, ?)", (key, kept.at, kept.content))

    return write


def _noticed(done: asyncio.Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        LOG.warning("An answer is in the cache, but not in its file: %s", error)
