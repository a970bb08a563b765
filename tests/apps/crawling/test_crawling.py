"""Crawl → extract → split → embed → PostgreSQL, over the command line.

Killed while it crawls and while it stores, then run again over a site of which one page in a hundred has changed. The
site has 200 pages; `LANGSTREAM_TEST_PAGES=2000` makes it larger.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.apps.application import RunningApp
from tests.apps.crawling.site import Site, serving
from tests.apps.place import Place
from tests.services.stores import postgres_server

PAGES = int(os.environ.get("LANGSTREAM_TEST_PAGES", "200"))
APPLICATION = Path(__file__).parent / "application"
SLOW_SECONDS = 60 + PAGES
SILENCE_SECONDS = 2.0

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def database() -> Iterator[str]:
    if postgres_server.binaries() is None:
        if os.environ.get("LANGSTREAM_REQUIRE_SERVICES"):
            pytest.fail("PostgreSQL is not installed on this machine")
        pytest.skip("PostgreSQL is not installed on this machine")
    with postgres_server.postgres() as url:
        yield url


class Crawl:
    """The application over one site and one database, run as often as a test likes."""

    def __init__(self, place: Place, site: Site, database: str) -> None:
        self._place = place
        self._database = database.removeprefix("jdbc:")
        self._secrets = {"pages": {"url": database}}
        self._globals = {"site": site.url, "reindex-interval-seconds": 5}

    def start(self) -> RunningApp:
        return self._place.run(APPLICATION, secrets=self._secrets, globals_=self._globals)

    def acknowledged(self) -> set[str]:
        """Paths of the pages that the crawler wrote down as delivered."""
        (ledger,) = self._place.data.rglob("*.webcrawler.status.sqlite")
        with closing(sqlite3.connect(ledger)) as connection:
            return {urlsplit(url).path for (url,) in connection.execute("SELECT url FROM delivered")}

    def rows(self) -> dict[tuple[str, int], tuple[str, int]]:
        """Text and number of the writing, by address and chunk."""
        return asyncio.run(self._rows())

    async def _rows(self) -> dict[tuple[str, int], tuple[str, int]]:
        import asyncpg

        connection = await asyncpg.connect(self._database, user="tester")
        try:
            if await connection.fetchval("SELECT to_regclass('pages')") is None:
                return {}
            found = await connection.fetch("SELECT url, chunk, text, written FROM pages")
        finally:
            await connection.close()
        return {(row["url"], row["chunk"]): (row["text"], row["written"]) for row in found}

    def until(self, condition: Callable[[dict[tuple[str, int], tuple[str, int]]], bool]) -> Any:
        """The rows for which the condition holds."""
        deadline = time.monotonic() + SLOW_SECONDS
        while not condition(rows := self.rows()):
            assert time.monotonic() < deadline, f"{len(rows)} rows, still not what is expected"
            time.sleep(0.2)
        return rows


def emissions(app: RunningApp, expected: set[tuple[str, int]]) -> Counter[tuple[str, int]]:
    """How often the crawler emitted each chunk, when all of them came and nothing more does."""
    found: Counter[tuple[str, int]] = Counter()
    with app.socket("consume", "chunks", **{"option:position": "earliest"}) as frames, suppress(TimeoutError):
        while True:
            frame = frames.recv(timeout=SLOW_SECONDS if set(found) != expected else SILENCE_SECONDS)
            chunk = json.loads(json.loads(frame)["record"]["value"])
            found[chunk["url"], int(chunk["chunk_id"])] += 1
    assert set(found) == expected
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SLOW_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def texts(site: Site, rows: dict[tuple[str, int], tuple[str, int]]) -> dict[int, str]:
    """What the database says of each page."""
    pages: dict[int, str] = {}
    for (url, _), (text, _) in sorted(rows.items()):
        path = url.removeprefix(site.url)
        number = int(path.removeprefix("/page/") or 0) if path != "/" else 0
        pages[number] = f"{pages.get(number, '')}{text}"
    return pages


def is_complete(site: Site, rows: dict[tuple[str, int], tuple[str, int]]) -> bool:
    found = texts(site, rows)
    return len(found) == site.pages and all(site.text(number) in text for number, text in found.items())


def test_a_site_is_followed_page_by_page_through_kills(place: Place, database: str) -> None:
    with serving(Site(PAGES)) as site:
        crawl = Crawl(place, site, database)

        site.hold(PAGES // 2)  # the crawl cannot be over before the kill
        app = crawl.start()
        wait_until(lambda: sum(site.sent.values()) >= PAGES // 3 and crawl.acknowledged() != set())
        app.kill()
        site.go_on()
        first = crawl.acknowledged()
        assert {site.sent[path] for path in first} <= {1}
        app = crawl.start()
        crawl.until(lambda rows: len(rows) >= PAGES // 2)
        app.kill()
        second = {path: site.sent[path] for path in crawl.acknowledged()}
        assert first
        assert first <= set(second)
        app = crawl.start()
        before = crawl.until(lambda rows: is_complete(site, rows))
        emitted = emissions(app, set(before))
        again = {url.removeprefix(site.url) for (url, _), count in emitted.items() if count > 1}
        more = sum(emitted.values()) - len(before)
        written = max(number for _, number in before.values()) - len(before)
        print(f"{place.broker}: {len(again)} pages of {PAGES} came again, {more} chunks; {written} rows written again")
        assert not again, "pages came again"
        fetched = {path: site.sent[path] for path in second}
        assert fetched == second, "pages that had been acknowledged were fetched again"
        assert app.stop() == 0

        changed = range(7, PAGES, 100)
        site.versions.update(changed)
        site.sent.clear()
        site.unchanged.clear()
        app = crawl.start()
        after = crawl.until(lambda rows: is_complete(site, rows))
        assert app.stop() == 0
        written = {key[0] for key, row in after.items() if before.get(key) != row}
        assert written == {f"{site.url}/page/{number}" for number in changed}
        assert set(site.sent) == {f"/page/{number}" for number in changed}
        assert max(site.sent.values()) == 1
