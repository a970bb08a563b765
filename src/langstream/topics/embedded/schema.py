"""The file: its tables, its settings, and how a connection to it is opened.

`runs` is the log. One row holds a run of records of one partition, as JSON text: a batch costs one insertion and one
step of SQLite however many records it has. Its key is `partition << 40 | last offset`, so that runs of a partition
lie together in order, and "the run that holds offset n" is the first key at or after n. `gaps` is NULL while offsets
count up from `base`, else the JSON list of offsets relative to it (after compaction).

Whatever a transaction writes goes through one statement, an insertion into the view `entry` whose triggers do the
work: the statement is the transaction. A thread that runs it gives the interpreter lock up once, not once per
statement, which matters while the event loop is busy: getting it back takes up to 5 ms each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from langstream.errors import BrokerUnavailable

if TYPE_CHECKING:
    import apsw

FILE_NAME: Final = "topics.db"
APPLICATION_ID: Final = 0x4C535450  # "LSTP"
VERSION: Final = 2
OFFSET_BITS: Final = 40
LAST_OFFSET: Final = (1 << OFFSET_BITS) - 1
PAGE_SIZE: Final = 8192

RECORDS: Final = 0
COMMIT: Final = 1
SCHEMA: Final = 2
NOTE: Final = 3

_TABLES: Final = """
CREATE TABLE topics (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, config TEXT NOT NULL);
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, number INTEGER NOT NULL,
  next INTEGER NOT NULL DEFAULT 0, records INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
  compacted INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, number));
CREATE TABLE runs (
  position INTEGER PRIMARY KEY, base INTEGER NOT NULL, count INTEGER NOT NULL, bytes INTEGER NOT NULL,
  newest INTEGER NOT NULL, gaps TEXT, records TEXT NOT NULL);
CREATE TABLE schemas (id TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE members (
  id INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL, consumer_group TEXT NOT NULL, member TEXT NOT NULL,
  process TEXT NOT NULL, UNIQUE (topic, consumer_group, member));
CREATE TABLE claims (
  consumer_group TEXT NOT NULL, partition INTEGER NOT NULL, committed INTEGER NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 0, member TEXT, PRIMARY KEY (partition, consumer_group)) WITHOUT ROWID;
CREATE TABLE removed (partition INTEGER PRIMARY KEY);
CREATE TABLE changes (kind TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO changes VALUES ('groups', 0), ('topics', 0);
"""
_PUBLISHERS: Final = """
CREATE TABLE publishers (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, batch TEXT) WITHOUT ROWID;
"""
_CHANGES: Final = {0: _TABLES + _PUBLISHERS, 1: _PUBLISHERS}
"""What makes the present tables of those of an earlier version; 0 is an empty file."""

_ENTRY: Final = f"""
CREATE TEMP VIEW entry AS SELECT NULL AS kind, NULL AS partition, NULL AS a, NULL AS b, NULL AS c, NULL AS d WHERE 0;

CREATE TEMP TRIGGER entry_records INSTEAD OF INSERT ON entry WHEN new.kind = {RECORDS} BEGIN
  SELECT raise(ABORT, 'gone') WHERE NOT EXISTS (SELECT 1 FROM partitions WHERE id = new.partition);
  INSERT INTO runs (position, base, count, bytes, newest, records)
    SELECT (id << {OFFSET_BITS}) | (next + new.a - 1), next, new.a, new.b, new.c, new.d
    FROM partitions WHERE id = new.partition;
  UPDATE partitions SET next = next + new.a, records = records + new.a, bytes = bytes + new.b
    WHERE id = new.partition;
END;

CREATE TEMP TRIGGER entry_commit INSTEAD OF INSERT ON entry WHEN new.kind = {COMMIT} BEGIN
  SELECT raise(ABORT, 'gone') WHERE NOT EXISTS (SELECT 1 FROM partitions WHERE id = new.partition);
  SELECT raise(ABORT, 'fenced') WHERE NOT EXISTS (
    SELECT 1 FROM claims
    WHERE partition = new.partition AND consumer_group = new.a AND member = new.b AND epoch = new.c);
  SELECT raise(ABORT, 'offset')
    WHERE new.d NOT BETWEEN 0 AND (SELECT next FROM partitions WHERE id = new.partition);
  UPDATE claims SET committed = new.d WHERE partition = new.partition AND consumer_group = new.a;
END;

CREATE TEMP TRIGGER entry_schema INSTEAD OF INSERT ON entry WHEN new.kind = {SCHEMA} BEGIN
  INSERT OR IGNORE INTO schemas VALUES (new.a, new.b);
END;

CREATE TEMP TRIGGER entry_note INSTEAD OF INSERT ON entry WHEN new.kind = {NOTE} BEGIN
  SELECT raise(ABORT, 'superseded')
    WHERE NOT EXISTS (SELECT 1 FROM publishers WHERE name = new.a AND epoch = new.b);
  UPDATE publishers SET batch = new.c WHERE name = new.a;
END;
"""  # noqa: S608 - numbers defined above


def first_position(partition: int) -> int:
    """The smallest key of the partition's runs."""
    return partition << OFFSET_BITS


def last_position(partition: int) -> int:
    """The largest key of the partition's runs."""
    return (partition << OFFSET_BITS) | LAST_OFFSET


def rows(connection: apsw.Connection, statement: str, bindings: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
    """All rows of a query, each a tuple."""
    return connection.execute(statement, bindings).fetchall()


def value(connection: apsw.Connection, statement: str, bindings: Sequence[Any] = ()) -> Any:
    """The only column of the only row, or None without a row."""
    return connection.execute(statement, bindings).get


def connect(
    path: Path, *, sync: Literal["full", "normal"], lock_timeout_seconds: float, max_bytes: int | None
) -> apsw.Connection:
    """A connection with the tables there. Raises apsw errors, and BrokerUnavailable for a file of another kind."""
    import apsw

    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_handler(_patience(lock_timeout_seconds))
        _prepare(connection, path, lock_timeout_seconds)
        connection.execute(f"PRAGMA synchronous = {sync}")
        connection.execute("PRAGMA wal_autocheckpoint = 2000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA temp_store = memory")
        if max_bytes is not None:
            connection.execute(f"PRAGMA max_page_count = {max(64, max_bytes // PAGE_SIZE)}")
        connection.execute(_ENTRY)
    except BaseException:
        connection.close(True)
        raise
    return connection


def _patience(seconds: float) -> Callable[[int], bool]:
    """A busy handler: short naps, because transactions of other processes are short."""
    started = 0.0

    def wait(calls: int) -> bool:
        nonlocal started
        now = time.monotonic()
        if calls == 0:
            started = now
        time.sleep(0.001 if calls < 50 else 0.01)
        return now - started < seconds

    return wait


def _prepare(connection: apsw.Connection, path: Path, lock_timeout_seconds: float) -> None:
    import apsw

    deadline = time.monotonic() + lock_timeout_seconds
    while True:
        try:
            _create(connection, path)
            return
        except apsw.BusyError:  # the switch to WAL does not wait by itself
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _create(connection: apsw.Connection, path: Path) -> None:
    if _version(connection, path) == VERSION:
        return
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute("PRAGMA auto_vacuum = incremental")
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if (before := _version(connection, path)) != VERSION:
            connection.execute(_CHANGES[before])
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: apsw.Connection, path: Path) -> int:
    with connection:  # as of one moment: another process may be making the tables
        tables = int(value(connection, "SELECT count(*) FROM sqlite_schema"))
        version = int(value(connection, "PRAGMA user_version"))
        application = int(value(connection, "PRAGMA application_id"))
    if version == 0 and application == 0 and tables == 0:
        return 0
    if application != APPLICATION_ID:
        raise BrokerUnavailable(f"{path} is a database of something else; choose another data directory")
    if version != VERSION and version not in _CHANGES:
        raise BrokerUnavailable(
            f"{path} was written by another version of LangStream (format {version}, this one knows {VERSION}); "
            "use that version, or another data directory"
        )
    return version
