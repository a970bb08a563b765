"""Pages that are prepared, and what becomes of them when the process ends before they are committed.

The name of the last batch that is in the output decides. The state is on disk, or in a bucket for another machine.
"""

from __future__ import annotations

import shutil
import uuid
from typing import Any

import pytest

from langstream.agents.web.crawler.source import WebCrawlerSource
from tests.agents.web.crawler.sites import Crawler, Site, keys, linking, read_crawl, read_some, rests


@pytest.fixture(params=["disk", "bucket"])
def state(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options that keep the state."""
    if request.param == "disk":
        return {}
    return {
        "endpoint": request.getfixturevalue("s3_address"),
        "bucket_name": f"state-{uuid.uuid4().hex[:12]}",
        "access_key": "a",
        "secret_key": "b",
        "max_unflushed_pages": 3,
    }


@pytest.fixture
def pages(site: Site) -> None:
    """Six of them, from the first to the last."""
    site.pages |= {"/": linking("/1", "/2"), "/1": linking("/3"), "/2": linking("/4", "/5")}
    site.pages |= {f"/{number}": str(number) for number in (3, 4, 5)}


async def crashed(crawler: Crawler, state: dict[str, Any]) -> None:
    """Nothing that is under way is finished; of a state in a bucket, the disk is lost too."""
    await crawler.close()
    if state:
        shutil.rmtree(crawler.directory)


async def rest(source: WebCrawlerSource, site: Site) -> list[str]:
    """What is still to come, written as the runtime does."""
    found: list[str] = []
    while not source.crawls_ended:
        if records := await source.read(2):
            await source.prepare("next", records)
            await source.commit(records)
            found += keys(records, site)
    return sorted(found)


@pytest.mark.usefixtures("pages")
async def test_a_batch_that_was_written_does_not_come_again(
    site: Site, crawler: Crawler, state: dict[str, Any]
) -> None:
    source = await crawler.source(site, **state)
    await source.prepare("first", await read_some(source, 3))
    await crashed(crawler, state)
    site.requests.clear()
    source = await crawler.source(site, written="first", **state)
    assert await rest(source, site) == ["/3", "/4", "/5"]
    assert {request.path for request in site.requests}.isdisjoint({"/", "/1", "/2"})


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("written", [None, "another batch"])
async def test_a_batch_that_was_not_written_comes_again(
    site: Site, crawler: Crawler, state: dict[str, Any], written: str | None
) -> None:
    source = await crawler.source(site, **state)
    await source.prepare("first", await read_some(source, 3))
    await crashed(crawler, state)
    source = await crawler.source(site, written=written, **state)
    assert await rest(source, site) == ["/", "/1", "/2", "/3", "/4", "/5"]
    await crashed(crawler, state)
    assert await rests(await crawler.source(site, **state))


@pytest.mark.usefixtures("pages")
async def test_earlier_batches_hold_and_only_the_last_is_asked_about(
    site: Site, crawler: Crawler, state: dict[str, Any]
) -> None:
    source = await crawler.source(site, **state)
    for number in range(4):
        records = await read_some(source, 1)
        await source.prepare(str(number), records)
        await source.commit(records)
    await source.prepare("4", await read_some(source, 1))
    await crashed(crawler, state)
    source = await crawler.source(site, written="3", **state)
    assert len(await rest(source, site)) == 2


@pytest.mark.usefixtures("pages")
async def test_a_batch_that_is_prepared_anew_replaces_the_one_before(
    site: Site, crawler: Crawler, state: dict[str, Any]
) -> None:
    source = await crawler.source(site, **state)
    records = await read_some(source, 3)
    await source.prepare("refused", records)  # it turned out that one of its results cannot be written
    await source.prepare("second", records[:1])
    await crashed(crawler, state)
    source = await crawler.source(site, written="second", **state)
    assert await rest(source, site) == ["/1", "/2", "/3", "/4", "/5"]


@pytest.mark.usefixtures("pages")
async def test_a_decision_is_made_once(site: Site, crawler: Crawler, state: dict[str, Any]) -> None:
    """A batch that was found not to be written is not taken for one that was when more follow it."""
    source = await crawler.source(site, **state)
    await source.prepare("first", await read_some(source, 2))
    await crashed(crawler, state)
    source = await crawler.source(site, written=None, **state)
    await source.prepare("second", await read_some(source, 1))
    await crashed(crawler, state)
    source = await crawler.source(site, written="second", **state)
    assert await rest(source, site) == ["/1", "/2", "/3", "/4", "/5"]


@pytest.mark.usefixtures("pages")
async def test_what_was_prepared_and_committed_is_in_the_next_crawl_too(
    site: Site, crawler: Crawler, state: dict[str, Any]
) -> None:
    source = await crawler.source(site, **state)
    await source.prepare("first", await read_some(source, 3))
    await crashed(crawler, state)
    source = await crawler.source(
        site, written="first", emit_content_diff=["new", "content_changed"], reindex_interval_seconds=1, **state
    )
    assert sorted(keys(await read_crawl(source), site)) == ["/3", "/4", "/5"]
    site.pages["/1"] = linking("/3", "/6")
    site.pages["/6"] = "6"
    assert sorted(keys(await read_crawl(source, crawls=2), site)) == ["/1", "/6"]
