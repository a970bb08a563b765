"""What a source has delivered for good: one row per file, kept across restarts.

A file enters the ledger when its record is committed, never before, so a crash repeats what was under way and loses
nothing. Without a directory the ledger is kept in memory and a restart delivers every file again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = "delivered-files.sqlite"


@dataclass(frozen=True, slots=True)
class Version:
    """A state of a file: equal size and time mean unchanged, an equal digest means the same content."""

    size: int
    modified_ns: int
    digest: bytes = b""

    def looks_like(self, other: Version | None) -> bool:
        """Whether size and time are the same."""
        return other is not None and (self.size, self.modified_ns) == (other.size, other.modified_ns)


class Ledger:
    """The delivered version of every file. Blocking: call it in a thread."""

    def __init__(self, directory: Path | None) -> None:
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        place = ":memory:" if directory is None else str(directory / FILE_NAME)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(place, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS files "
            "(path TEXT PRIMARY KEY, size INTEGER, modified_ns INTEGER, digest BLOB) WITHOUT ROWID"
        )

    def versions(self) -> dict[str, Version]:
        """Path → version of every delivered file."""
        with self._lock:
            rows = self._database.execute("SELECT path, size, modified_ns, digest FROM files").fetchall()
        return {path: Version(size, modified_ns, digest) for path, size, modified_ns, digest in rows}

    def record(self, delivered: Mapping[str, Version], removed: Iterable[str] = ()) -> None:
        """Write down versions and forget files, in one transaction."""
        rows = [(path, version.size, version.modified_ns, version.digest) for path, version in delivered.items()]
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in removed])
                self._database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()
