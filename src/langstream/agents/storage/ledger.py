"""What a source has delivered for good: one row per file or object, kept across restarts.

An object enters the ledger when its record is committed, never before, so a crash repeats what was under way and loses
nothing. Without a directory the ledger is kept in memory and a restart delivers every object again.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from langstream.services.objects.contract import Version

__all__ = ["FILE_NAME", "Delivery", "Ledger", "Mark", "Version"]

FILE_NAME = "delivered-files.sqlite"
_ADDED = {"tag": "TEXT NOT NULL DEFAULT ''", "mark": "TEXT NOT NULL DEFAULT ''"}


class Mark(StrEnum):
    """What is to be done about a delivered object that still exists."""

    NONE = ""
    DOOMED = "doomed"
    """To be deleted; the store could not do it yet."""
    SKIPPED = "skipped"
    """Its record failed and was left out: it must stay."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An object, and the version that was delivered; none for a deletion. A skipped one must stay where it is."""

    name: str
    version: Version | None
    skipped: bool = False


class Ledger:
    """The delivered version of every object. Blocking: call it in a thread.

    `place` names what the ledger is about; a ledger about something else is begun anew.
    """

    def __init__(self, directory: Path | None, place: str = "") -> None:
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        file = ":memory:" if directory is None else str(directory / FILE_NAME)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS files "
            "(path TEXT PRIMARY KEY, size INTEGER, modified_ns INTEGER, digest BLOB) WITHOUT ROWID"
        )
        present = {row[1] for row in self._database.execute("PRAGMA table_info(files)")}
        for column, kind in _ADDED.items():
            if column not in present:
                self._database.execute(f"ALTER TABLE files ADD COLUMN {column} {kind}")
        self._database.execute("CREATE TABLE IF NOT EXISTS place (name TEXT)")
        self._database.execute("CREATE TABLE IF NOT EXISTS identity (only INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        self._database.execute("INSERT OR IGNORE INTO identity VALUES (1, ?)", (uuid.uuid4().hex[:16],))
        self.identity = str(self._database.execute("SELECT name FROM identity").fetchone()[0])
        """A name for this ledger and its copies."""
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS prepared (number INTEGER PRIMARY KEY, batch TEXT NOT NULL, path TEXT NOT NULL, "
            "skipped INTEGER NOT NULL, size INTEGER, modified_ns INTEGER, digest BLOB, tag TEXT)"
        )
        self.begun_anew = self._belong_to(place)

    def _belong_to(self, place: str) -> bool:
        """Whether there were rows of another place, which are gone now."""
        row = self._database.execute("SELECT name FROM place").fetchone()
        if row is not None and row[0] == place:
            return False
        self._database.execute("BEGIN IMMEDIATE")
        if row is not None:
            self._database.execute("DELETE FROM files")
            self._database.execute("DELETE FROM prepared")
        self._database.execute("DELETE FROM place")
        self._database.execute("INSERT INTO place VALUES (?)", (place,))
        self._database.execute("COMMIT")
        return row is not None

    def versions(self) -> dict[str, Version]:
        """Path → version of every delivered object."""
        with self._lock:
            rows = self._database.execute("SELECT path, size, modified_ns, digest, tag FROM files").fetchall()
        return {path: Version(size, modified_ns, digest, tag) for path, size, modified_ns, digest, tag in rows}

    def marks(self) -> dict[str, Mark]:
        """Path → mark of the objects that have one."""
        with self._lock:
            rows = self._database.execute("SELECT path, mark FROM files WHERE mark <> ''").fetchall()
        return {path: Mark(mark) for path, mark in rows}

    def record(
        self,
        delivered: Mapping[str, Version],
        removed: Iterable[str] = (),
        marks: Mapping[str, Mark] | None = None,
        prepared: bool = False,
    ) -> None:
        """Write down versions, with their marks, and forget objects; and what was prepared, if that is what these are.
        One transaction."""
        given = marks or {}
        rows = [
            (path, version.size, version.modified_ns, version.digest, version.tag, given.get(path, Mark.NONE).value)
            for path, version in delivered.items()
        ]
        with self._transaction():
            self._database.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in removed])
            self._database.executemany(
                "INSERT OR REPLACE INTO files (path, size, modified_ns, digest, tag, mark) VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
            if prepared:
                self._database.execute("DELETE FROM prepared")

    def prepare(self, batch: str, deliveries: Sequence[Delivery]) -> None:
        """Write down what is about to be delivered, in place of what was written down before."""
        rows = [
            (batch, each.name, each.skipped, version.size, version.modified_ns, version.digest, version.tag)
            if (version := each.version) is not None
            else (batch, each.name, each.skipped, None, None, None, None)
            for each in deliveries
        ]
        with self._transaction():
            self._database.execute("DELETE FROM prepared")
            self._database.executemany(
                "INSERT INTO prepared (batch, path, skipped, size, modified_ns, digest, tag) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def prepared(self, batch: str | None) -> list[Delivery]:
        """What was about to be delivered as that batch. What was prepared as another one is forgotten."""
        with self._transaction():
            self._database.execute("DELETE FROM prepared WHERE batch IS NOT ?", (batch,))
            rows = self._database.execute(
                "SELECT path, skipped, size, modified_ns, digest, tag FROM prepared ORDER BY number"
            ).fetchall()
        return [
            Delivery(path, None if size is None else Version(size, modified, digest, tag), bool(skipped))
            for path, skipped, size, modified, digest, tag in rows
        ]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()
