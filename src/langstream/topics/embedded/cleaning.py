"""Retention and compaction in the file, in small transactions. Functions of a connection, run by the writing thread.

Retention removes whole runs from the front: a run goes when its newest record is too old, or when the partition is
larger than allowed without it. The last run stays when only size matters. Compaction rewrites runs without the
records whose key came again later, as soon as as much came in as was left by the round before; the last run is left
as it is until another follows.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from langstream.records import key_bytes
from langstream.topics.embedded.schema import first_position, last_position, rows, value
from langstream.topics.settings import Cleanup, cleanup

if TYPE_CHECKING:
    import apsw

RUNS_PER_STEP: Final = 100
"""Runs looked at or removed in one transaction; senders wait no longer than that takes."""
DIRTY_RATIO: Final = 0.5
"""Share of a partition that has to be new before it is compacted again."""
PAGES_PER_STEP: Final = 256
FREE_PAGES: Final = 1_024
"""Free pages that are kept for what comes next (8 MB)."""


@dataclass(frozen=True, slots=True)
class Task:
    """A partition with rules."""

    partition: int
    rules: Cleanup


def tasks(connection: apsw.Connection) -> list[Task]:
    """Partitions of topics that have rules."""
    found = []
    for name, config, partition in rows(
        connection,
        "SELECT name, config, partitions.id FROM topics JOIN partitions ON topic = topics.id ORDER BY partitions.id",
    ):
        rules = cleanup(name, json.loads(config))
        if rules.compact or rules.retention_ms is not None or rules.retention_bytes is not None:
            found.append(Task(partition, rules))
    return found


def remove_deleted(connection: apsw.Connection) -> bool:
    """Remove some runs of deleted topics; whether there may be more."""
    with connection:
        partition = value(connection, "SELECT partition FROM removed LIMIT 1")
        if partition is None:
            return False
        span = (first_position(partition), last_position(partition), RUNS_PER_STEP)
        connection.execute(
            "DELETE FROM runs WHERE position IN "
            "(SELECT position FROM runs WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?)",
            span,
        )
        if connection.changes() < RUNS_PER_STEP:
            connection.execute("DELETE FROM removed WHERE partition = ?", (partition,))
    return True


def trim(connection: apsw.Connection, task: Task, now_ms: int) -> bool:
    """Remove some runs that retention does not keep; whether there may be more."""
    rules = task.rules
    if rules.retention_ms is None and rules.retention_bytes is None:
        return False
    with connection:
        size = value(connection, "SELECT bytes FROM partitions WHERE id = ?", (task.partition,))
        if size is None:
            return False
        runs = rows(
            connection,
            "SELECT position, count, bytes, newest FROM runs WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?",
            (first_position(task.partition), last_position(task.partition), RUNS_PER_STEP + 1),
        )
        removable = _removable(runs, size, rules, now_ms)
        if removable:
            _remove(connection, task.partition, runs[:removable])
    return removable == RUNS_PER_STEP


def _removable(runs: list[tuple[int, ...]], size: int, rules: Cleanup, now_ms: int) -> int:
    """How many of the first runs may go."""
    for index, (_, _, length, newest) in enumerate(runs[:RUNS_PER_STEP]):
        expired = rules.retention_ms is not None and newest < now_ms - rules.retention_ms
        # A run goes only if what remains still fills the size that is promised to stay.
        excess = rules.retention_bytes is not None and size - length >= rules.retention_bytes and index + 1 < len(runs)
        if not expired and not excess:
            return index
        size -= length
    return min(len(runs), RUNS_PER_STEP)


def _remove(connection: apsw.Connection, partition: int, runs: list[tuple[int, ...]]) -> None:
    connection.execute("DELETE FROM runs WHERE position BETWEEN ? AND ?", (first_position(partition), runs[-1][0]))
    connection.execute(
        "UPDATE partitions SET records = records - ?, bytes = bytes - ? WHERE id = ?",
        (sum(run[1] for run in runs), sum(run[2] for run in runs), partition),
    )


def shrink(connection: apsw.Connection) -> bool:
    """Give some free pages back to the file system; whether there may be more."""
    if int(connection.pragma("freelist_count")) <= FREE_PAGES:
        return False
    connection.execute(f"PRAGMA incremental_vacuum({PAGES_PER_STEP})").fetchall()
    return True


# --- compaction -----------------------------------------------------------------------------------------------------


class Compaction:
    """One round over one partition: find the last offset of each key since the last round, then rewrite runs."""

    def __init__(self, connection: apsw.Connection, task: Task, now_ms: int) -> None:
        self._partition = task.partition
        self._oldest_tombstone = now_ms - task.rules.tombstones_ms
        self._last: dict[bytes, int] = {}
        state = rows(
            connection,
            "SELECT compacted, (SELECT max(position) FROM runs WHERE position BETWEEN ? AND ?) FROM partitions "
            "WHERE id = ?",
            (first_position(self._partition), last_position(self._partition), self._partition),
        )
        self._done = first_position(self._partition) + (state[0][0] if state else 0)
        self._end = state[0][1] if state and state[0][1] is not None else first_position(self._partition)

    def steps(self, connection: apsw.Connection) -> Iterator[None]:
        """Do the round, if it is worth while; everything between two yields is short."""
        if not self._is_worth_while(connection):
            return
        yield from self._collect(connection)
        position = first_position(self._partition)
        while True:
            runs = self._runs(connection, position, self._end - 1)
            if not runs:
                break
            with connection:
                for run in runs:
                    self._rewrite(connection, run)
            position = runs[-1][0] + 1
            yield
        connection.execute(
            "UPDATE partitions SET compacted = ? WHERE id = ?",
            (max(0, self._end - first_position(self._partition)), self._partition),
        )

    def _is_worth_while(self, connection: apsw.Connection) -> bool:
        """Looking at every run for a few new records would cost more than the records."""
        new = value(
            connection, "SELECT sum(bytes) FROM runs WHERE position > ? AND position <= ?", (self._done, self._end)
        )
        total = value(connection, "SELECT bytes FROM partitions WHERE id = ?", (self._partition,))
        return bool(new) and new >= DIRTY_RATIO * (total or 0)

    def _collect(self, connection: apsw.Connection) -> Iterator[None]:
        """The last offset of every key in the part that is new, the last run included."""
        position = self._done
        while runs := self._runs(connection, position, self._end):
            for _, base, gaps, _, text in runs:
                for offset, row in _rows(base, gaps, text):
                    if row[1] is not None:
                        self._last[_identity(row[1])] = offset
            position = runs[-1][0] + 1
            yield

    def _runs(self, connection: apsw.Connection, start: int, end: int) -> list[Any]:
        return rows(
            connection,
            "SELECT position, base, gaps, bytes, records FROM runs WHERE position BETWEEN ? AND ? "
            "ORDER BY position LIMIT ?",
            (start, end, RUNS_PER_STEP),
        )

    def _rewrite(self, connection: apsw.Connection, run: tuple[int, int, str | None, int, str]) -> None:
        position, base, gaps, size, text = run
        before = list(_rows(base, gaps, text))
        kept = [(offset, row) for offset, row in before if self._keeps(offset, row)]
        if len(kept) == len(before):
            return
        if not kept:
            connection.execute("DELETE FROM runs WHERE position = ?", (position,))
            smaller = 0
        else:
            written = orjson.dumps([row for _, row in kept])
            smaller = len(written)
            connection.execute(
                "UPDATE runs SET count = ?, bytes = ?, newest = ?, gaps = ?, records = ? WHERE position = ?",
                (
                    len(kept),
                    smaller,
                    max(row[0] for _, row in kept),
                    json.dumps([offset - base for offset, _ in kept]),
                    written.decode(),
                    position,
                ),
            )
        connection.execute(
            "UPDATE partitions SET records = records - ?, bytes = bytes - ? WHERE id = ?",
            (len(before) - len(kept), size - smaller, self._partition),
        )

    def _keeps(self, offset: int, row: list[Any]) -> bool:
        if row[1] is None:
            return True
        if self._last.get(_identity(row[1]), offset) > offset:
            return False
        return row[2] is not None or row[0] >= self._oldest_tombstone


def _rows(base: int, gaps: str | None, text: str) -> Iterator[tuple[int, list[Any]]]:
    records = orjson.loads(text)
    offsets = range(len(records)) if gaps is None else json.loads(gaps)
    return ((base + offset, row) for offset, row in zip(offsets, records, strict=True))


def _identity(key: Any) -> bytes:
    """As `encoding.identity`, for keys that are still wrapped."""
    if isinstance(key, str):
        return key_bytes(key)
    ((kind, content),) = key.items()
    return b64decode(content[1] if kind == "a" else content)


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
