"""The journal: answers that were received, on disk before anybody else sees their end.

An entry belongs to a record (topic, partition and offset, or its content where it came from no topic), to a call
within it, and to what was asked. When the record is delivered again, after a crash or a retry, the same question takes
the same answer from here: it is not paid twice. Entries go when the record is committed, when they are too old, and
when there are too many of them, the oldest first.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from langstream.agents.ai.kept_answer import KeptAnswer, decoded, encoded, merged
from langstream.agents.ai.model_call import Asked, Asker
from langstream.agents.ai.state_file import StateFile
from langstream.errors import ServiceError
from langstream.sdk.contract import Counter
from langstream.services.ai.contract import Chunk

if TYPE_CHECKING:
    import apsw

LOG = logging.getLogger(__name__)

FORGET_SECONDS: Final = 1.0
"""Entries of committed records are deleted with the next answer, or after this time."""

DIGEST_BYTES: Final = 16
"""Of the content of a source record, at the beginning of `content`."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS journal (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, content BLOB NOT NULL,
  number INTEGER NOT NULL, digest BLOB NOT NULL, at REAL NOT NULL, answer BLOB NOT NULL,
  PRIMARY KEY (topic, partition, offset, content, number, digest))
"""
_PUT: Final = "INSERT OR REPLACE INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_KEY: Final = "topic = ? AND partition = ? AND offset = ? AND content = ? AND number = ? AND digest = ?"
_GET: Final = f"SELECT answer FROM journal WHERE {_KEY}"  # noqa: S608 - made of constants
_FORGET: Final = f"DELETE FROM journal WHERE {_KEY}"  # noqa: S608

Key: TypeAlias = tuple[str, int, int, bytes, int, bytes]
"""Topic, partition, offset, content, number of the call, digest of the question."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of an entry without reading it."""

    at: float
    size: int


class Journal:
    """Shared by the replicas of an agent. `clock` gives seconds since the epoch."""

    def __init__(
        self, file: StateFile, *, max_bytes: int, expire_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._expire_seconds = expire_seconds
        self._clock = clock
        self._entries: dict[Key, Entry] = {}
        self._bytes = 0
        self._by_offset: dict[tuple[str, int], list[tuple[int, Key]]] = {}
        self._by_source: dict[bytes, list[Key]] = {}
        self._forgotten: list[Key] = []
        self._timer: asyncio.TimerHandle | None = None
        self._started: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn what is there."""
        if self._started is None:
            self._started = asyncio.create_task(self._load())
        await asyncio.shield(self._started)

    def close(self) -> None:
        """Hand in what is to be deleted; the file writes it before it closes."""
        if self._timer is not None:
            self._timer.cancel()
        self._delete()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    async def find(self, key: Key) -> KeptAnswer | None:
        """The answer kept under the key, if it can be read."""
        if key not in self._entries:
            return None
        try:
            content = await self._file.run(lambda connection: _answer(connection, key))
            return decoded(content) if content is not None else None
        except (ServiceError, ValueError) as error:
            LOG.warning("An answer in the journal cannot be used, the model is asked again: %s", error)
            return None

    async def put(self, key: Key, content: bytes) -> None:
        """Keep the answer; returns when it is on disk. A journal that cannot be written costs no answer."""
        now = self._clock()
        self._add(key, Entry(now, len(content)))
        self._make_room(now)
        doomed, self._forgotten = self._forgotten, []

        def write(connection: apsw.Connection) -> None:
            _forget(connection, doomed)
            connection.execute(_PUT, (*key, now, content))

        try:
            await self._file.run(write)
        except ServiceError as error:
            LOG.warning("An answer could not be journalled; it is asked again if the record comes again: %s", error)

    def committed(self, topic: str, partition: int, next_offset: int) -> None:
        """Records before the offset never come again."""
        heap = self._by_offset.get((topic, partition))
        while heap and heap[0][0] < next_offset:
            self._drop(heapq.heappop(heap)[1])
        self._delete_soon()

    def settled(self, content: bytes) -> None:
        """A record of a source agent is committed."""
        for key in self._by_source.pop(content, ()):
            self._drop(key)
        self._delete_soon()

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        oldest = self._clock() - self._expire_seconds

        def read(connection: apsw.Connection) -> list[Any]:
            connection.execute(_TABLE)
            connection.execute("DELETE FROM journal WHERE at < ?", (oldest,))
            rows = "SELECT topic, partition, offset, content, number, digest, at, length(answer) FROM journal"
            return list(connection.execute(f"{rows} ORDER BY at"))

        for *key, at, size in await self._file.run(read):
            self._add((key[0], key[1], key[2], key[3], key[4], key[5]), Entry(at, size))

    def _add(self, key: Key, entry: Entry) -> None:
        replaced = self._entries.pop(key, None)
        self._bytes += entry.size - (replaced.size if replaced else 0)
        self._entries[key] = entry
        if replaced is None and not key[0]:
            self._by_source.setdefault(key[3][:DIGEST_BYTES], []).append(key)
        elif replaced is None:
            heapq.heappush(self._by_offset.setdefault(key[:2], []), (key[2], key))

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size
            self._forgotten.append(key)

    def _make_room(self, now: float) -> None:
        """The oldest entries come first."""
        while len(self._entries) > 1:
            key, entry = next(iter(self._entries.items()))
            if self._bytes <= self._max_bytes and entry.at >= now - self._expire_seconds:
                return
            self._drop(key)

    def _delete_soon(self) -> None:
        if self._forgotten and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FORGET_SECONDS, self._delete)

    def _delete(self) -> None:
        self._timer = None
        doomed, self._forgotten = self._forgotten, []
        if doomed:
            self._file.submit(lambda connection: _forget(connection, doomed)).add_done_callback(_noticed)


def journalled(journal: Journal, inner: Asker, replays: Counter) -> Asker:
    """The layer: answers that are in the journal come from there, all others go into it before their end is told."""

    async def ask(asked: Asked) -> AsyncGenerator[Chunk, None]:
        if asked.identity is None:
            async with aclosing(inner(asked)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        identity = asked.identity
        place = identity.topic, identity.partition, identity.offset, identity.content, identity.number
        key: Key = (*place, asked.call.digest())
        kept = await journal.find(key) if not asked.anew else None
        if kept is not None:
            replays.inc()
            asked.answered = kept.answered
            for chunk in kept.replayed():
                yield chunk
            return
        received: list[Chunk] = []
        async with aclosing(inner(asked)) as chunks:
            async for chunk in chunks:
                received.append(chunk)
                if chunk.last and asked.answered is not None:
                    await journal.put(key, encoded([merged(received)], asked.answered))
                yield chunk

    return ask


def _answer(connection: apsw.Connection, key: Key) -> bytes | None:
    row = connection.execute(_GET, key).fetchone()
    return row[0] if row else None


def _forget(connection: apsw.Connection, keys: list[Key]) -> None:
    if keys:
        connection.executemany(_FORGET, keys)


def _noticed(done: asyncio.Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        LOG.warning("Entries of the journal could not be deleted; they go when they expire: %s", error)
