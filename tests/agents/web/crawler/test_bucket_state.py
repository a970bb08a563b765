"""The state in a bucket: kept with every commit, found on another machine, refused to a second writer."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.web.crawler.bucket_state import BucketState, StateBucket
from langstream.agents.web.crawler.journal import Commit, parse_commit, write_commit
from langstream.agents.web.crawler.ledger import Delivered, Entry, Kind, Ledger, State
from langstream.agents.web.crawler.options import check_options
from langstream.errors import AgentFailed
from tests.agents.web.crawler.sites import Crawler, Site, keys, linking, read_crawl, read_some, rests


@pytest.fixture
def bucket(s3_address: str) -> dict[str, Any]:
    """Options that keep the state in a new bucket."""
    return {
        "endpoint": s3_address,
        "bucket_name": f"state-{uuid.uuid4().hex[:12]}",
        "access_key": "a",
        "secret_key": "b",
    }


async def names(options: dict[str, Any]) -> list[str]:
    """The objects of the bucket."""
    store = StateBucket(options["endpoint"], options["bucket_name"], "a", "b")
    await store.start()
    found = [entry.name async for page in store.pages("", recursive=True) for entry in page]
    await store.close()
    return found


async def test_another_machine_goes_on_where_the_commits_ended(
    site: Site, crawler: Crawler, bucket: dict[str, Any]
) -> None:
    site.pages |= {"/": linking("/1", "/2", "/3"), "/1": linking("/4"), "/2": "2", "/3": "3", "/4": "4"}
    source = await crawler.source(site, **bucket)
    first = await read_some(source, 2)
    await source.commit(first[:1])
    await source.commit(first[1:])
    await crawler.close()
    shutil.rmtree(crawler.directory)
    assert keys(await crawler.crawl(site, **bucket), site) == ["/2", "/3", "/4"]
    shutil.rmtree(crawler.directory)
    assert await rests(await crawler.source(site, **bucket))


async def test_what_the_disk_has_and_the_bucket_has_not_comes_again(
    site: Site, crawler: Crawler, bucket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/"] = "x"

    async def lost(*_: object) -> None:
        raise ConnectionError("killed between disk and bucket")

    source = await crawler.source(site, **bucket)
    records = await read_some(source, 1)
    with monkeypatch.context() as patch:
        patch.setattr(BucketState, "keep", lost)
        with pytest.raises(ConnectionError):
            await source.commit(records)
    await crawler.close()
    assert keys(await crawler.crawl(site, **bucket), site) == ["/"]


async def test_snapshots_replace_the_commits_before_them(site: Site, crawler: Crawler, bucket: dict[str, Any]) -> None:
    site.pages |= {"/": linking("/1", "/2", "/3"), "/1": "1", "/2": "2", "/3": "3"}
    source = await crawler.source(site, max_unflushed_pages=2, **bucket)
    for record in await read_some(source, 4):
        await source.commit([record])
    await read_crawl(source)
    bucket_state = source._bucket
    assert bucket_state is not None
    while bucket_state._sweeping is not None and not bucket_state._sweeping.done():
        await asyncio.wait([bucket_state._sweeping])
    found = await names(bucket)
    assert found[-1].endswith(".snapshot.gz")
    assert all(name.startswith("default/app-pages.webcrawler.status/") for name in found)
    assert len(found) < 7  # begin, four commits, two snapshots, end


async def test_a_second_writer_is_refused(site: Site, crawler: Crawler, bucket: dict[str, Any]) -> None:
    site.pages |= {"/": linking("/1"), "/1": "1"}
    first = await crawler.source(site, **bucket)
    records = await read_some(first, 2)
    rival = Crawler(crawler.directory / "rival")
    second = await rival.source(site, **bucket)
    await second.commit(await read_some(second, 1))
    with pytest.raises(AgentFailed, match="another crawler writes the same state"):
        await first.commit(records[:1])
    await rival.close()


async def test_a_state_on_disk_moves_into_an_empty_bucket(site: Site, crawler: Crawler, bucket: dict[str, Any]) -> None:
    site.pages["/"] = "x"
    await crawler.crawl(site)
    assert await rests(await crawler.source(site, **bucket))
    await crawler.close()


async def test_without_a_directory_a_temporary_one_serves(site: Site, crawler: Crawler, bucket: dict[str, Any]) -> None:
    from langstream.agents.web.crawler.source import WebCrawlerSource

    site.pages["/"] = "x"
    source = WebCrawlerSource(crawler.options(site, **bucket))
    await source.start(crawler.context(state=False))
    await source.resume(None)
    assert keys(await read_crawl(source), site) == ["/"]
    await source.close()


async def test_an_object_that_was_written_by_a_lost_attempt_is_no_rival(bucket: dict[str, Any]) -> None:
    store = StateBucket(bucket["endpoint"], bucket["bucket_name"], "a", "b")
    await store.start()
    assert await store.make("x", b"1", "me")
    assert await store.make("x", b"1", "me")
    assert not await store.make("x", b"1", "rival")
    await store.close()


async def test_a_broken_object_is_told_with_its_address(site: Site, crawler: Crawler, bucket: dict[str, Any]) -> None:
    store = StateBucket(bucket["endpoint"], bucket["bucket_name"], "a", "b")
    await store.start()
    await store.make("default/app-pages.webcrawler.status/000000000001.snapshot.gz", b"nonsense", "me")
    await store.close()
    with pytest.raises(AgentFailed, match=r"000000000001\.snapshot\.gz cannot be read"):
        await crawler.source(site, **bucket)


def test_a_bucket_needs_an_address(crawler: Crawler) -> None:
    options = crawler.options(seed_urls=["http://h/"], allowed_domains=["h"], state_storage="s3")
    [finding] = check_options(options, None)  # type: ignore[arg-type]
    assert "address of the object store" in finding.message
    region = crawler.options(seed_urls=["http://h/"], allowed_domains=["h"], region="eu-west-1")
    assert (region.keeps_state_in_bucket, region.address) == (True, "https://s3.eu-west-1.amazonaws.com")
    disk = crawler.options(seed_urls=["http://h/"], allowed_domains=["h"], state_storage="disk", endpoint="http://s3")
    assert not disk.keeps_state_in_bucket


TEXT = st.text(st.characters(codec="utf-8"), max_size=10)
PAGES = st.none() | st.builds(Delivered, st.binary(), st.none() | TEXT, st.none() | TEXT, st.tuples(TEXT, TEXT))
ENTRIES = st.builds(Entry, st.just(0), TEXT, st.sampled_from(Kind), st.integers(0, 99), st.just(0), st.just(False))


@given(st.lists(st.tuples(ENTRIES, st.sampled_from(State), PAGES), max_size=3), st.none() | TEXT)
def test_a_commit_can_be_read_again(settled: list[Any], batch: str | None) -> None:
    commit = Commit(settled, batch)
    assert parse_commit(write_commit(commit)) == commit


def test_a_commit_of_an_earlier_release_can_be_read() -> None:
    found = parse_commit(b'[["http://h/",0,1,1,["ab",null,null,["http://h/1"]]]]')
    page = Delivered(b"\xab", None, None, ("http://h/1",))
    assert found == Commit([(Entry(0, "http://h/", Kind.PAGE, 1, 0, False), State.DONE, page)])


def test_a_serialized_ledger_holds_what_was_not_yet_moved_into_its_file(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "a")
    ledger.add(["http://h/"], 3)
    (tmp_path / "b").write_bytes(ledger.serialize())
    ledger.close()
    copy = Ledger(tmp_path / "b")
    assert copy.known() == {"http://h/": (State.PENDING, 3)}
    copy.close()
