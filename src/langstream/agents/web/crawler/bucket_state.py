"""The state of a crawler in an S3 bucket, for places where no disk outlives the process.

A snapshot of the ledger, and after it one small object per commit: what was committed is in the bucket before the
commit returns. A commit that is prepared is written beforehand, with the name of its batch. It holds when another one
follows it; of the last one, the name tells. A snapshot is written when a crawl begins or ends and after
`max-unflushed-pages` pages; it makes the objects before it needless. Objects are numbered and never overwritten, so a
second writer is noticed.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from langstream.agents.web.crawler.journal import Commit, parse_commit, write_commit
from langstream.agents.web.crawler.ledger import Ledger
from langstream.errors import AgentFailed, ServiceError
from langstream.services.objects.contract import StoredObject
from langstream.services.objects.http import Request
from langstream.services.objects.s3 import S3Store

logger = logging.getLogger(__name__)

SNAPSHOT: Final = "snapshot.gz"
JOURNAL: Final = "journal.gz"
DEFAULT_EVERY: Final = 100
_WRITER: Final = "x-amz-meta-writer"


class StateBucket(S3Store):
    """A bucket in which objects are made, but never overwritten."""

    async def make(self, name: str, body: bytes, writer: str) -> bool:
        """Write a new object; False if somebody else wrote one of that name."""
        headers = {"If-None-Match": "*", _WRITER: writer}
        answer = await self.ask(Request("PUT", self._path(name), headers=headers, body=body), expected=(200, 412))
        if answer.status == 200:
            return True
        found = await self.ask(Request("HEAD", self._path(name)), expected=(200, 404))
        return found.headers.get(_WRITER) == writer  # the answer to an earlier attempt may have been lost


@dataclass(slots=True)
class Stored:
    """What the bucket holds: the last snapshot, and what was committed after it."""

    snapshot: bytes | None = None
    commits: list[Commit] = field(default_factory=list)


class BucketState:
    """The objects of one crawler. `name` is what all their names begin with."""

    def __init__(self, bucket: StateBucket, name: str, every: int = DEFAULT_EVERY) -> None:
        self._bucket = bucket
        self._name = name
        self._every = every
        self._writer = uuid.uuid4().hex
        self._number = 0
        self._since_snapshot = 0
        self._lock = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open connections; make the bucket if it is missing."""
        await self._bucket.start()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping
        await self._bucket.close()

    async def load(self) -> Stored:
        """What is stored."""
        stored = Stored()
        for entry in await self._list():
            content = await self._bucket.read(entry)
            if content is None:
                raise AgentFailed(f"{self._bucket.address(entry.name)} disappeared while it was read: {_RIVAL}")
            self._number = max(self._number, _number(entry.name))
            data = await asyncio.to_thread(_unpacked, content.data, self._bucket.address(entry.name))
            if entry.name.endswith(SNAPSHOT):
                stored = Stored(data)
            else:
                stored.commits.append(parse_commit(data))
        return stored

    async def keep(self, commit: Commit) -> None:
        """Write a commit down."""
        async with self._lock:
            await self._make(JOURNAL, await asyncio.to_thread(_packed, write_commit(commit)))
            self._since_snapshot += len(commit.settled)

    async def committed(self, ledger: Ledger) -> None:
        """The ledger has made the commit too; now and then it is kept as a whole."""
        async with self._lock:
            if 0 < self._every <= self._since_snapshot:
                await self._write_snapshot(ledger)

    async def checkpoint(self, ledger: Ledger) -> None:
        """Keep the ledger as a whole."""
        async with self._lock:
            await self._write_snapshot(ledger)

    async def _write_snapshot(self, ledger: Ledger) -> None:
        content = await asyncio.to_thread(ledger.serialize)
        await self._make(SNAPSHOT, await asyncio.to_thread(_packed, content))
        self._since_snapshot = 0
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep(self._number))

    async def _make(self, kind: str, body: bytes) -> None:
        name = f"{self._name}/{self._number + 1:012d}.{kind}"
        if not await self._bucket.make(name, body, self._writer):
            raise AgentFailed(f"{self._bucket.address(name)} exists already: {_RIVAL}")
        self._number += 1

    async def _sweep(self, number: int) -> None:
        """Delete what a newer snapshot has made needless. What cannot be deleted is deleted after the next one."""
        try:
            for entry in await self._list():
                if _number(entry.name) < number:
                    await self._bucket.delete(entry)
        except ServiceError as error:
            logger.warning("old states of the crawler stay in the bucket: %s", error)

    async def _list(self) -> list[StoredObject]:
        found: list[StoredObject] = []
        async for page in self._bucket.pages(f"{self._name}/", recursive=False):
            found += [entry for entry in page if entry.name.endswith((f".{SNAPSHOT}", f".{JOURNAL}"))]
        return sorted(found, key=lambda entry: _number(entry.name))


_RIVAL: Final = "another crawler writes the same state. Applications and agents of one bucket need names of their own"


def restore(place: Path, snapshot: bytes) -> None:
    """Put a ledger where `Ledger` will look for it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("-wal", "-shm"):
        place.with_name(place.name + suffix).unlink(missing_ok=True)
    temporary = place.with_name(f"{place.name}.new")
    temporary.write_bytes(snapshot)
    temporary.replace(place)


def _number(name: str) -> int:
    text = name.rpartition("/")[2].partition(".")[0]
    return int(text) if text.isdigit() else 0


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def _unpacked(data: bytes, place: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise AgentFailed(f"{place} cannot be read ({error}): delete it to begin without what it holds") from error
