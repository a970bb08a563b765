"""`file-source`: a folder as a source, the local twin of the object-store sources.

New and changed files become records. A file is written into the ledger when all that its record led to is safe; a
restart goes on where the ledger ends. Changes wake the source at once where the system can watch folders; otherwise,
and as a safeguard, the folder is looked through every `idle-time` seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mimetypes
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.storage.file_source_options import FileSourceConfiguration
from langstream.agents.storage.folder import delete_file, list_files, read_file, within
from langstream.agents.storage.ledger import Ledger, Version
from langstream.errors import AgentFailed
from langstream.records import Record, SimpleRecord
from langstream.sdk.contract import AgentContext, Source

logger = logging.getLogger(__name__)

READ_BYTES = 32 * 1024 * 1024
"""So many bytes of files are read at once at most, unless a single file is larger."""
WATCH_MILLISECONDS = 50
"""Changes that follow each other this closely wake the source once."""
DELETED = "sourceObjectDeleted"


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A record under way: the file it came from; no version for a deletion."""

    record: Record
    path: str
    version: Version | None


class FileSource(Source):
    """Delivers the files of a folder, at least once each version."""

    def __init__(self, configuration: FileSourceConfiguration) -> None:
        self._options = configuration
        self._selection = configuration.selection()
        self._max_bytes = configuration.max_bytes
        self._root = Path()
        self._ledger: Ledger | None = None
        self._delivered: dict[str, Version] = {}
        self._under_way: dict[int, _Delivery] = {}
        self._latest: dict[str, Version | None] = {}  # the newest version under way of every file
        self._ready: deque[tuple[str, Version]] = deque()
        self._gone: deque[str] = deque()
        self._first_seen: dict[str, tuple[Version, float]] = {}
        self._warned: dict[str, Version] = {}
        self._missing = False
        self._wake_after = 0.0
        self._changed = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._context: AgentContext | None = None

    async def start(self, context: AgentContext) -> None:
        """Open the ledger and begin to watch."""
        self._root = await asyncio.to_thread(_folder, self._options.path, context.code_directory)
        self._context = context
        if context.state_directory is None and not self._options.delete_files:
            logger.warning("agent '%s' has no state directory: a restart delivers all files again", context.agent_id)
        self._ledger = await asyncio.to_thread(Ledger, context.state_directory)
        self._delivered = await asyncio.to_thread(self._ledger.versions)
        if self._options.watch:
            self._watcher = asyncio.create_task(self._watch())

    async def read(self, max_records: int) -> Sequence[Record]:
        """The next files. Waits for changes, `idle-time` at most, when there is nothing new."""
        if not self._ready and not self._gone:
            self._changed.clear()
            await self._look()
        records = [await self._deletion(self._gone.popleft()) for _ in range(min(max_records, len(self._gone)))]
        deletions = [record for record in records if record is not None]
        if deletions:
            return deletions
        files = list(within(READ_BYTES, [self._ready[index] for index in range(min(max_records, len(self._ready)))]))
        if not files:
            await self._wait()
            return []
        contents = await asyncio.to_thread(self._read_all, files)
        for _ in files:
            self._ready.popleft()
        return await self._deliver(contents)

    async def commit(self, records: Sequence[Record]) -> None:
        """Write the files into the ledger; delete them where that is asked for."""
        assert self._ledger is not None
        delivered: dict[str, Version] = {}
        removed: set[str] = set()
        for record in records:
            delivery = self._settled(record)
            if delivery is None:
                continue
            if delivery.version is None:
                removed.add(delivery.path)
                delivered.pop(delivery.path, None)
            else:
                delivered[delivery.path] = delivery.version
                removed.discard(delivery.path)
        if self._options.delete_files:
            for path in await asyncio.to_thread(self._delete, delivered):
                removed.add(path)
                delivered.pop(path)
        await self._record(delivered, removed)

    async def permanent_failure(self, record: Record, error: Exception) -> None:
        """The file stays unread in the ledger and comes again after a restart; the node stops."""
        self._settled(record)
        raise error

    async def close(self) -> None:
        """Stop watching and close the ledger."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        if self._ledger is not None:
            await asyncio.to_thread(self._ledger.close)

    def info(self) -> dict[str, Any]:
        """Folder and numbers of files."""
        return {
            "path": str(self._root),
            "delivered": len(self._delivered),
            "under-way": len(self._under_way),
            "waiting": len(self._ready) + len(self._gone),
        }

    # --- looking ----------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Find out what is new, changed or gone."""
        listing = await asyncio.to_thread(list_files, self._root, self._selection)
        self._tell_whether_missing("" in listing.unreadable)
        self._wake_after = self._options.idle_time
        now, clock = time.time(), time.monotonic()
        for path in sorted(listing.files):
            version = listing.files[path]
            if self._is_known(path, version) or self._is_too_large(path, version):
                continue
            pause = self._unsettled(path, version, now, clock)
            if pause > 0:
                self._wake_after = min(self._wake_after, pause)
            else:
                self._ready.append((path, version))
        self._first_seen = {path: seen for path, seen in self._first_seen.items() if path in listing.files}
        for path in sorted({*self._delivered, *self._latest} - listing.files.keys()):
            if listing.knows_about(path) and not self._is_known_gone(path):
                self._gone.append(path)

    def _is_known(self, path: str, version: Version) -> bool:
        if path in self._latest:
            return version.looks_like(self._latest[path])
        return version.looks_like(self._delivered.get(path))

    def _is_known_gone(self, path: str) -> bool:
        return path in self._latest and self._latest[path] is None

    def _is_too_large(self, path: str, version: Version) -> bool:
        if version.size <= self._max_bytes:
            return False
        if not version.looks_like(self._warned.get(path)):
            self._warned[path] = version
            logger.warning(
                "%s has %d bytes, more than max-file-size (%s): it is left out",
                self._root / path,
                version.size,
                self._options.max_file_size,
            )
        return True

    def _unsettled(self, path: str, version: Version, now: float, clock: float) -> float:
        """Seconds until the file counts as completely written. Clocks may differ: being seen twice counts too."""
        settle = self._options.settle_time
        seen, since = self._first_seen.get(path, (version, clock))
        if seen != version:
            since = clock
        self._first_seen[path] = (version, since)
        age = now - version.modified_ns / 1e9
        return max(0.0, settle - max(age, clock - since))

    def _tell_whether_missing(self, missing: bool) -> None:
        if missing and not self._missing:
            logger.warning("the folder %s does not exist or cannot be read: waiting for it", self._root)
        self._missing = missing

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), max(self._wake_after, 0.01))

    async def _watch(self) -> None:
        from watchfiles import awatch

        while True:
            try:
                if self._root.is_dir():
                    changes = awatch(
                        self._root,
                        recursive=self._options.recursive,
                        step=WATCH_MILLISECONDS,
                        debounce=10 * WATCH_MILLISECONDS,
                        watch_filter=None,
                    )
                    async for _ in changes:
                        self._changed.set()
            except (OSError, RuntimeError) as error:
                logger.warning("%s cannot be watched (%s): it is looked through instead", self._root, error)
                return
            await asyncio.sleep(self._options.idle_time)

    # --- delivering -------------------------------------------------------------------------------------------------

    def _read_all(self, files: Sequence[tuple[str, Version]]) -> list[tuple[str, bytes, Version]]:
        contents = []
        for path, version in files:
            read = read_file(self._root / path, version)
            if read is not None:  # else it is changing: the next look finds it again
                contents.append((path, *read))
        return contents

    async def _deliver(self, contents: Sequence[tuple[str, bytes, Version]]) -> list[Record]:
        records: list[Record] = []
        touched: dict[str, Version] = {}
        for path, content, version in contents:
            known = self._latest.get(path, self._delivered.get(path))
            if known is not None and known.digest == version.digest:
                touched[path] = version  # only its time has changed
                continue
            diff = "new" if self._delivered.get(path) is None else "content_changed"
            record = self._record_of(path, content, version, diff)
            self._under_way[id(record)] = _Delivery(record, path, version)
            self._latest[path] = version
            records.append(record)
        await self._record(
            {path: version for path, version in touched.items() if not self._touch(path, version)}, set()
        )
        return records

    def _touch(self, path: str, version: Version) -> bool:
        """Move a delivery under way to a newer time of the same content; False if there is none."""
        if path not in self._latest:
            return False
        for number, delivery in self._under_way.items():
            if delivery.path == path and delivery.version == self._latest[path]:
                self._under_way[number] = replace(delivery, version=version)
        self._latest[path] = version
        return True

    async def _deletion(self, path: str) -> Record | None:
        record = SimpleRecord(
            None, path, [("name", path), ("path", str(self._root / path)), ("recordType", DELETED)], None, _now()
        )
        if self._options.deleted_files_topic is not None:
            assert self._context is not None
            if self._context.topics is None:
                raise AgentFailed("deleted-files-topic is set, but the agent runs without topics")
            await self._context.topics.send(self._options.deleted_files_topic, [record])
        elif self._options.emit_deletions:
            self._under_way[id(record)] = _Delivery(record, path, None)
            self._latest[path] = None
            return record
        await self._record({}, {path})
        return None

    def _record_of(self, path: str, content: bytes, version: Version, diff: str) -> SimpleRecord:
        kind, _ = mimetypes.guess_type(path)
        headers = [
            ("name", path),
            ("path", str(self._root / path)),
            ("content-type", kind or "application/octet-stream"),
            ("content_diff", diff),
        ]
        return SimpleRecord(content, path, headers, None, version.modified_ns // 1_000_000)

    # --- committing -------------------------------------------------------------------------------------------------

    def _settled(self, record: Record) -> _Delivery | None:
        delivery = self._under_way.pop(id(record), None)
        if delivery is not None and self._latest.get(delivery.path) == delivery.version:
            self._latest.pop(delivery.path, None)
        return delivery

    def _delete(self, delivered: dict[str, Version]) -> list[str]:
        deleted = []
        for path, version in delivered.items():
            try:
                if delete_file(self._root / path, version):
                    deleted.append(path)
            except OSError as error:
                logger.warning("%s cannot be deleted: %s", self._root / path, error)
        return deleted

    async def _record(self, delivered: dict[str, Version], removed: set[str]) -> None:
        assert self._ledger is not None
        if delivered or removed:
            await asyncio.to_thread(self._ledger.record, delivered, removed)
        self._delivered.update(delivered)
        for path in removed:
            self._delivered.pop(path, None)


def _folder(path: str, base: Path | None) -> Path:
    root = ((base or Path.cwd()) / Path(path).expanduser()).absolute()
    if root.exists() and not root.is_dir():
        raise AgentFailed(f"file-source reads folders, but {root} is a file")
    return root


def _now() -> int:
    return time.time_ns() // 1_000_000


AGENT = AgentType(
    name="file-source",
    component_type=ComponentType.SOURCE,
    configuration=FileSourceConfiguration,
    create=FileSource,
    summary="Reads the files of a folder, new and changed ones, as records.",
    description="""\
The key is the file's path relative to the folder, the value its bytes; headers: `name`, `path`, `content-type` and
`content_diff` (`new` or `content_changed`). What was delivered is remembered across restarts. A file that may still be
written to is waited for; writers do best to write elsewhere and rename. Links that lead out of the folder are ignored.
Every replica reads all files: use a parallelism of 1.""",
    composable=Composable.OPTIONAL,
    family="storage",
    keeps_state=True,
    example="""\
- type: file-source
  output: documents
  configuration:
    path: ./inbox
    patterns: ["**/*.pdf", "**/*.md"]
    emit-deletions: true
""",
)
