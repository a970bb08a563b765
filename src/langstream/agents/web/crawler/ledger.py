"""The crawl on disk: which addresses are known, what became of them, and what was delivered for good.

One SQLite file. `frontier` holds the addresses of the current crawl; an address stays `PENDING` until its page is
committed, so a crash repeats what was under way and loses nothing. `delivered` holds what was committed, over all
crawls: it tells changed pages from unchanged ones, and which have vanished. All methods block; call them in a thread.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeAlias

from langstream.agents.web.crawler.addresses import parse

logger = logging.getLogger(__name__)

LAYOUT = 1
FETCH_ROWS = 256
REMEMBERED = 100_000


class Kind(IntEnum):
    """What an address is visited for."""

    PAGE = 0
    SITEMAP = 1
    CHECK = 2
    """A page delivered by an earlier crawl that no link led to: is it still there?"""


class State(IntEnum):
    """What became of an address in this crawl."""

    PENDING = 0
    DONE = 1
    UNWANTED = 2
    """Not emitted by its nature: another content type, too large, a sitemap that was read."""
    EXCLUDED = 3
    """The site or the application forbids it."""
    REDIRECT = 4
    ALIAS = 5
    """Another address is the canonical one."""
    GONE = 6
    FAILED = 7


COUNTED = (State.PENDING, State.DONE, State.UNWANTED, State.GONE, State.FAILED)
"""The states of addresses that count against `max-urls`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An address to visit. `plain`: emit it whatever its canonical link says; `seen`: it was delivered before."""

    id: int
    url: str
    kind: Kind
    depth: int
    attempts: int
    plain: bool
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """A page as it was last committed."""

    digest: bytes
    etag: str | None = None
    modified: str | None = None
    links: tuple[str, ...] = ()


Settled: TypeAlias = tuple[Entry, State, Delivered | None]
"""What a commit says of an address: its new state, and its content, or None where it is to be forgotten."""


@dataclass(frozen=True, slots=True)
class Times:
    """When the current crawl began and, if it did, ended; seconds since the epoch."""

    number: int
    began: float
    ended: float | None


_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frontier (
  id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, site TEXT NOT NULL, kind INTEGER NOT NULL, depth INTEGER NOT NULL,
  state INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, plain INTEGER NOT NULL DEFAULT 0, target TEXT);
CREATE INDEX IF NOT EXISTS pending ON frontier (site, id) WHERE state = 0;
CREATE INDEX IF NOT EXISTS aliases ON frontier (target) WHERE state = 5;
CREATE TABLE IF NOT EXISTS delivered (
  url TEXT PRIMARY KEY, digest BLOB NOT NULL, etag TEXT, modified TEXT, links BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS robots (
  origin TEXT PRIMARY KEY, content TEXT NOT NULL, fetched REAL NOT NULL) WITHOUT ROWID;
"""


class Ledger:
    """The state of one crawler. `place` is its file, or None to keep it in memory."""

    def __init__(self, place: Path | None, max_urls: int = 0) -> None:
        self._lock = threading.Lock()
        self._max_urls = max_urls
        self._database = _open(place)
        self._log = None if place is None else place.with_name(f"{place.name}-wal")
        self._depths: dict[str, int] = {}  # of addresses known for certain: spares looking them up
        self._counted = 0
        self._count()

    # --- the frontier -----------------------------------------------------------------------------------------------

    def add(self, urls: Iterable[str], depth: int, kind: Kind = Kind.PAGE, limited: bool = True) -> set[str]:
        """Enter new addresses; known ones keep their state and get the smaller depth. The sites that have work now."""
        with self._transaction():
            return self._add(urls, depth, kind, limited)

    def settle(self, entry: Entry, state: State, links: Iterable[str] = (), depth: int = 0) -> set[str]:
        """An address is dealt with, and these were found on it: one transaction. The sites that have work now."""
        with self._transaction():
            sites = self._settle(entry, state, None)  # first: it may make room
            return sites | self._add(links, depth, Kind.PAGE, True)

    def settle_alias(self, entry: Entry, target: str, links: Iterable[str], depth: int) -> set[str] | None:
        """Leave the page to its canonical address. None where that address was given up: emit the page after all."""
        with self._transaction():
            row = self._one("SELECT state FROM frontier WHERE url = ?", target)
            if row is not None and State(row[0]) not in (State.PENDING, State.DONE):
                return None
            sites = self._settle(entry, State.ALIAS, target)  # which makes room for its target
            sites |= self._add([target], entry.depth, Kind.PAGE, False)
            return sites | self._add(links, depth, Kind.PAGE, True)

    def failed(self, entry: Entry) -> None:
        """One attempt more."""
        with self._transaction():
            self._run("UPDATE frontier SET attempts = attempts + 1 WHERE id = ?", entry.id)

    def pending(self, site: str, after: int = 0, rows: int = FETCH_ROWS) -> list[Entry]:
        """The next addresses of a site, in the order in which they were found."""
        with self._lock:
            found = self._database.execute(
                "SELECT id, url, kind, depth, attempts, plain, "
                "EXISTS (SELECT 1 FROM delivered WHERE delivered.url = frontier.url) FROM frontier "
                "WHERE state = 0 AND site = ? AND id > ? ORDER BY id LIMIT ?",
                (site, after, rows),
            ).fetchall()
        return [
            Entry(id, url, Kind(kind), depth, attempts, bool(plain), bool(seen))
            for id, url, kind, depth, attempts, plain, seen in found
        ]

    def pending_sites(self) -> list[str]:
        """The sites with pending addresses, in the order of their first ones."""
        with self._lock:
            return [
                site
                for (site,) in self._database.execute(
                    "SELECT site FROM frontier WHERE state = 0 GROUP BY site ORDER BY min(id)"
                )
            ]

    def known(self) -> dict[str, tuple[State, int]]:
        """Address → (state, depth) of the whole frontier."""
        with self._lock:
            rows = self._database.execute("SELECT url, state, depth FROM frontier").fetchall()
        return {url: (State(state), depth) for url, state, depth in rows}

    def numbers(self) -> dict[str, int]:
        """How many addresses are in which state."""
        with self._lock:
            rows = self._database.execute("SELECT state, count(*) FROM frontier GROUP BY state").fetchall()
        return {State(state).name.lower(): count for state, count in rows}

    # --- what was delivered -----------------------------------------------------------------------------------------

    def delivered(self, url: str) -> Delivered | None:
        """The page as it was last committed."""
        with self._lock:
            row = self._one("SELECT digest, etag, modified, links FROM delivered WHERE url = ?", url)
        if row is None:
            return None
        links = zlib.decompress(row[3]).decode() if row[3] else ""
        return Delivered(row[0], row[1], row[2], tuple(links.split("\n")) if links else ())

    def identity(self) -> str:
        """A name for this ledger and its copies, given when it is first asked for."""
        with self._transaction(durable=True):
            self._run("INSERT OR IGNORE INTO facts VALUES ('identity', ?)", uuid.uuid4().hex[:16])
            return str(self._one("SELECT value FROM facts WHERE name = 'identity'")[0])

    def prepare(self, commit: bytes) -> None:
        """Keep what is about to be committed, in place of what was kept before. On disk when this returns."""
        with self._transaction(durable=True):
            self._fact("prepared", commit)

    def prepared(self) -> bytes | None:
        """What was kept and not committed."""
        with self._lock:
            row = self._one("SELECT value FROM facts WHERE name = 'prepared'")
        return None if row is None else row[0]

    def withdraw(self) -> None:
        """What was prepared is not going to be committed."""
        with self._transaction(durable=True):
            self._run("DELETE FROM facts WHERE name = 'prepared'")

    def commit(self, settled: Sequence[Settled], prepared: bool = False) -> set[str]:
        """Pages are delivered for good; those without a content are forgotten.

        On disk when this returns. What was `prepared` is there already, and is not kept apart any more.
        """
        sites: set[str] = set()
        with self._transaction(durable=not prepared):
            if prepared:
                self._run("DELETE FROM facts WHERE name = 'prepared'")
            for entry, state, page in settled:
                if page is None:
                    self._run("DELETE FROM delivered WHERE url = ?", entry.url)
                else:
                    self._deliver(entry.url, page)
                if state is not State.ALIAS:  # that was entered with its target
                    sites |= self._settle(entry, state, None)
        return sites

    def replay(self, settled: Sequence[Settled], follow: Callable[[Delivered, int], Sequence[str]]) -> None:
        """Repeat a commit that was prepared, or one of another ledger.

        `follow` gives the links of a page at a depth that may be visited.
        """
        with self._transaction():
            for entry, state, page in settled:
                self._add([entry.url], entry.depth, entry.kind, False)
                row = self._one("SELECT id FROM frontier WHERE url = ?", entry.url)
                if page is None:
                    self._run("DELETE FROM delivered WHERE url = ?", entry.url)
                else:
                    self._deliver(entry.url, page)
                    self._add(follow(page, entry.depth), entry.depth + 1, Kind.PAGE, True)
                self._settle(replace(entry, id=row[0]), state, None)

    def serialize(self) -> bytes:
        """The whole file."""
        with self._lock:
            return self._database.serialize()

    def unchanged(self, entry: Entry, page: Delivered, links: Iterable[str], depth: int) -> set[str]:
        """A page is what it was: note its new validators and visit those of its links that may be visited."""
        with self._transaction():
            self._deliver(entry.url, page)
            return self._add(links, depth, Kind.PAGE, True) | self._settle(entry, State.DONE, None)

    def enter_unreached(self) -> set[str]:
        """Enter the delivered pages that this crawl has not come across, to be looked after."""
        with self._transaction():
            rows = self._database.execute(
                "SELECT url FROM delivered WHERE NOT EXISTS (SELECT 1 FROM frontier WHERE frontier.url = delivered.url)"
            ).fetchall()
            return self._add([url for (url,) in rows], 0, Kind.CHECK, False)

    # --- crawls -----------------------------------------------------------------------------------------------------

    def times(self) -> Times | None:
        """The current crawl, or None before the first."""
        with self._lock:
            facts = dict(self._database.execute("SELECT name, value FROM facts").fetchall())
        return Times(facts["crawl"], facts["began"], facts.get("ended")) if "crawl" in facts else None

    def begin_crawl(self, now: float) -> None:
        """Empty the frontier and begin anew; what was delivered stays known."""
        with self._transaction(durable=True):
            self._run("DELETE FROM frontier")
            row = self._one("SELECT value FROM facts WHERE name = 'crawl'")
            self._fact("crawl", (row[0] if row else 0) + 1)
            self._fact("began", now)
            self._fact("ended", None)
            self._counted = 0
            self._depths.clear()

    def end_crawl(self, now: float) -> None:
        """Everything is dealt with."""
        with self._transaction(durable=True):
            self._fact("ended", now)

    # --- robots.txt -------------------------------------------------------------------------------------------------

    def robots(self, origin: str) -> tuple[str, float] | None:
        """The stored robots.txt and when it was fetched."""
        with self._lock:
            row = self._one("SELECT content, fetched FROM robots WHERE origin = ?", origin)
        return None if row is None else (row[0], row[1])

    def store_robots(self, origin: str, content: str, now: float, sitemaps: Iterable[str] = ()) -> set[str]:
        """Keep a robots.txt and enter its sitemaps."""
        with self._transaction():
            self._run("INSERT OR REPLACE INTO robots VALUES (?, ?, ?)", origin, content, now)
            return self._add(sitemaps, 0, Kind.SITEMAP, False)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    # --- inside a transaction ---------------------------------------------------------------------------------------

    def _add(self, urls: Iterable[str], depth: int, kind: Kind, limited: bool) -> set[str]:
        sites: set[str] = set()
        for url in urls:
            if self._depths.get(url, depth + 1) <= depth:
                continue
            known = self._one("SELECT depth, id FROM frontier WHERE url = ?", url)
            if known is not None:
                if depth < known[0]:
                    self._run("UPDATE frontier SET depth = ? WHERE id = ?", depth, known[1])
                self._remember(url, min(depth, known[0]))
                continue
            address = parse(url)
            if address is None or (limited and 0 < self._max_urls <= self._counted):
                continue
            self._run(
                "INSERT INTO frontier (url, site, kind, depth) VALUES (?, ?, ?, ?)", url, address.site, int(kind), depth
            )
            self._remember(url, depth)
            self._counted += kind is Kind.PAGE
            sites.add(address.site)
        return sites

    def _remember(self, url: str, depth: int) -> None:
        if len(self._depths) >= REMEMBERED:
            self._depths.clear()
        self._depths[url] = depth

    def _settle(self, entry: Entry, state: State, target: str | None) -> set[str]:
        self._run("UPDATE frontier SET state = ?, target = ? WHERE id = ?", int(state), target, entry.id)
        if entry.kind is Kind.PAGE and state not in COUNTED:
            self._counted -= 1
        if state in (State.DONE, State.ALIAS):
            return set()
        return self._revive_aliases(entry.url)

    def _revive_aliases(self, url: str) -> set[str]:
        """The canonical address came to nothing: the pages that pointed to it are emitted themselves."""
        rows = self._database.execute("SELECT id, site FROM frontier WHERE target = ? AND state = 5", (url,)).fetchall()
        for id, _ in rows:
            self._run(  # behind the others: whoever reads on from the last id finds it
                "UPDATE frontier SET id = (SELECT max(id) + 1 FROM frontier), state = 0, plain = 1, target = NULL "
                "WHERE id = ?",
                id,
            )
        self._counted += len(rows)
        return {site for _, site in rows}

    def _deliver(self, url: str, page: Delivered) -> None:
        links = zlib.compress("\n".join(page.links).encode()) if page.links else None
        self._run(
            "INSERT OR REPLACE INTO delivered VALUES (?, ?, ?, ?, ?)", url, page.digest, page.etag, page.modified, links
        )

    def _count(self) -> None:
        states = ",".join(str(int(state)) for state in COUNTED)
        row = self._one(f"SELECT count(*) FROM frontier WHERE kind = 0 AND state IN ({states})")  # noqa: S608 - numbers
        self._counted = row[0]

    def _fact(self, name: str, value: Any) -> None:
        self._run("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    def _one(self, statement: str, *values: Any) -> Any:
        return self._database.execute(statement, values).fetchone()

    def _run(self, statement: str, *values: Any) -> None:
        self._database.execute(statement, values)

    @contextmanager
    def _transaction(self, durable: bool = False) -> Iterator[None]:
        """All or nothing. Durable ones survive a power failure, the others (found again at worst) a crash."""
        with self._lock:
            self._run("BEGIN IMMEDIATE")
            counted = self._counted
            try:
                yield
            except BaseException:
                self._run("ROLLBACK")
                self._counted = counted
                self._depths.clear()
                raise
            self._run("COMMIT")
        if durable and self._log is not None:
            _flush(self._log)


def _flush(log: Path) -> None:
    """Force the write-ahead log to the disk, as SQLite would, but without keeping others from writing meanwhile."""
    handle = os.open(log, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open(place: Path | None) -> sqlite3.Connection:
    if place is None:
        return _connect(":memory:")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connect(str(place))
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        aside = place.with_name(f"{place.name}.unreadable-{int(time.time())}")
        place.rename(aside)
        logger.warning(
            "the state of the crawler cannot be read (%s): it is kept as %s, and the crawl begins anew", error, aside
        )
        return _connect(str(place))


def _connect(place: str) -> sqlite3.Connection:
    database = sqlite3.connect(place, check_same_thread=False, isolation_level=None)
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, LAYOUT):
            raise sqlite3.OperationalError(
                f"{place} was written by another release (layout {version}, expected {LAYOUT})"
            )
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")  # see `_flush` for what has to be safe at once
        database.executescript(_SCHEMA)
        database.execute(f"PRAGMA user_version={LAYOUT}")
    except BaseException:
        database.close()
        raise
    return database
