"""The thread that writes. What many senders hand in while a transaction runs goes into the next one together.

Group commit: one transaction, one flush to disk. Runs of one partition that meet in a transaction become one run.
When somebody's part is refused (fenced, topic gone), the parts are written one by one, so that a refusal stays with
its cause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from queue import Empty
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from langstream.topics.embedded.rows import MAX_BYTES, MAX_RECORDS
from langstream.topics.embedded.schema import COMMIT, NOTE, RECORDS, value
from langstream.topics.embedded.worker import Worker
from langstream.topics.local.log import Commit, TopicGone, check_offset, fenced, superseded

if TYPE_CHECKING:
    import apsw

ENTRIES_PER_STATEMENT: Final = 64
MAX_WRITES: Final = 1_000


class Entry(NamedTuple):
    """A row of the view `entry`: kind, partition, and what the kind needs."""

    kind: int
    partition: int | None
    a: Any
    b: Any
    c: Any = None
    d: Any = None


class Write:
    """The entries of one caller, all or nothing. Called with a connection, it writes them alone."""

    __slots__ = ("entries",)

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries

    def __call__(self, connection: apsw.Connection) -> None:
        """Write. Raises Fenced, TopicGone, TopicError."""
        _write(connection, self.entries)


_Call: TypeAlias = "tuple[Callable[[apsw.Connection], Any] | None, asyncio.Future[Any]]"


class Writer(Worker):
    """A worker that joins writes."""

    def _serve(
        self, connection: apsw.Connection, function: Callable[[apsw.Connection], Any], future: asyncio.Future[Any]
    ) -> None:
        if not isinstance(function, Write):
            super()._serve(connection, function, future)
            return
        writes: list[tuple[Write, asyncio.Future[Any]]] = [(function, future)]
        following = self._waiting(writes)
        if len(writes) == 1:
            self._deliver([self._outcome(connection, function, future)])
        else:
            self._write_together(connection, writes)
        if following:
            self._serve_next(connection, following)

    def _waiting(self, writes: list[tuple[Write, asyncio.Future[Any]]]) -> _Call | None:
        """Take further writes from the queue, up to the first call of another kind, which is returned."""
        while len(writes) < MAX_WRITES:
            try:
                function, future = self._queue.get_nowait()
            except Empty:
                return None
            if not isinstance(function, Write):
                return function, future
            writes.append((function, future))
        return None

    def _serve_next(self, connection: apsw.Connection, call: _Call) -> None:
        function, future = call
        if function is None:
            self._queue.put((None, future))  # nothing follows the closing call
        else:
            super()._serve(connection, function, future)

    def _write_together(self, connection: apsw.Connection, writes: Sequence[tuple[Write, asyncio.Future[Any]]]) -> None:
        import apsw

        try:
            _insert(connection, list(joined([entry for write, _ in writes for entry in write.entries])))
        except apsw.ConstraintError:
            self._deliver([self._outcome(connection, write, future) for write, future in writes])
        except Exception as error:
            self._deliver([(future, None, self._explain(error)) for _, future in writes])
        else:
            self._deliver([(future, None, None) for _, future in writes])


def joined(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries, runs of one partition made one where they fit together. Their order stays."""
    runs: dict[int | None, Entry] = {}
    for entry in entries:
        if entry.kind != RECORDS:
            yield entry
            continue
        before = runs.get(entry.partition)
        if before is None:
            runs[entry.partition] = entry
        elif before.a + entry.a <= MAX_RECORDS and before.b + entry.b <= MAX_BYTES:
            runs[entry.partition] = _join(before, entry)
        else:
            yield before
            runs[entry.partition] = entry
    yield from runs.values()


def _join(before: Entry, after: Entry) -> Entry:
    text = f"{before.d[:-1]},{after.d[1:]}"
    return Entry(RECORDS, before.partition, before.a + after.a, before.b + after.b - 1, max(before.c, after.c), text)


def _write(connection: apsw.Connection, entries: Sequence[Entry]) -> None:
    import apsw

    try:
        _insert(connection, entries)
    except apsw.ConstraintError as error:
        raise _refusal(connection, str(error), entries) from None


def _insert(connection: apsw.Connection, entries: Sequence[Entry]) -> None:
    if len(entries) <= ENTRIES_PER_STATEMENT:
        _insert_some(connection, entries)
        return
    with connection:
        for start in range(0, len(entries), ENTRIES_PER_STATEMENT):
            _insert_some(connection, entries[start : start + ENTRIES_PER_STATEMENT])


def _insert_some(connection: apsw.Connection, entries: Sequence[Entry]) -> None:
    statement = "INSERT INTO entry VALUES " + ",".join(["(?,?,?,?,?,?)"] * len(entries))  # noqa: S608
    connection.execute(statement, [part for entry in entries for part in entry])


def _refusal(connection: apsw.Connection, reason: str, entries: Sequence[Entry]) -> Exception:
    commits = [
        Commit(entry.a, entry.partition or 0, entry.b, entry.c, entry.d) for entry in entries if entry.kind == COMMIT
    ]
    if reason == "fenced":
        return fenced(commits[0].group)
    if reason == "superseded":
        return superseded(next(entry.a for entry in entries if entry.kind == NOTE))
    if reason == "offset":
        for commit in commits:
            end = value(connection, "SELECT next FROM partitions WHERE id = ?", (commit.partition,))
            try:
                check_offset(commit, end)
            except Exception as error:
                return error
    return TopicGone("the topic was deleted")
