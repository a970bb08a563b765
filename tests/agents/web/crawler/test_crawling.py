"""What is visited, what is emitted, and what is left alone."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Sequence

import pytest

from langstream.agents.web.crawler import lanes
from langstream.agents.web.crawler.ledger import State
from langstream.records import Record, header
from tests.agents.web.crawler.sites import Answer, Crawler, Site, keys, linking, redirect, rests


def value_of(records: Sequence[Record], key: str) -> bytes:
    """The value of the record with that key."""
    [value] = [record.value() for record in records if record.key() == key]
    assert isinstance(value, bytes)
    return value


async def test_a_record_is_the_address_the_page_and_its_type(site: Site, crawler: Crawler) -> None:
    site.pages["/"] = "Hello!"
    [record] = await crawler.crawl(site)
    assert record.key() == f"{site.url}/"
    assert record.value() == b"<html>\n <head></head>\n <body>\n  Hello!\n </body>\n</html>"
    assert dict(record.headers()) == {
        "url": f"{site.url}/",
        "content_type": "text/html; charset=utf-8",
        "content_diff": "new",
    }
    assert record.origin() is None
    assert record.timestamp() == record.timestamp() is not None


async def test_linked_pages_with_a_cycle_come_once_each(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/": linking("/2", "/3"), "/2": linking("/3", "/2"), "/3": linking("/", "3#part")}
    assert keys(await crawler.crawl(site), site) == ["/", "/2", "/3"]
    assert site.paths() == ["/", "/2", "/3"]


async def test_a_page_forbidden_by_robots_is_neither_fetched_nor_emitted(site: Site, crawler: Crawler) -> None:
    site.pages |= {
        "/robots.txt": Answer("User-agent: *\nDisallow: /third\n", type="text/plain"),
        "/": linking("/second", "/third"),
        "/second": "2",
        "/third": "3",
    }
    assert keys(await crawler.crawl(site), site) == ["/", "/second"]
    assert site.count("/third") == 0
    ledger = crawler.ledger()
    assert ledger.pending_sites() == []
    stored = ledger.robots(site.url)
    assert stored is not None
    assert "Disallow: /third" in stored[0]
    ledger.close()


async def test_stored_robots_rules_are_used_after_a_restart(site: Site, crawler: Crawler) -> None:
    site.pages |= {
        "/robots.txt": [Answer("User-agent: *\nDisallow: /b\n"), Answer("")],
        "/": linking("/b"),
        "/b": "b",
    }
    source = await crawler.source(site)
    while not await source.read(1):
        pass
    await crawler.close()
    assert keys(await crawler.crawl(site), site) == ["/"]
    assert (site.count("/robots.txt"), site.count("/b")) == (1, 0)


@pytest.mark.parametrize("status", [404, 403, 410])
async def test_a_site_without_robots_file_allows_everything(site: Site, crawler: Crawler, status: int) -> None:
    site.pages |= {"/robots.txt": Answer("<html>Disallow: /</html>", status), "/": "x"}
    assert keys(await crawler.crawl(site), site) == ["/"]


async def test_robots_that_cannot_be_had_at_first_are_asked_for_again(site: Site, crawler: Crawler) -> None:
    site.pages |= {
        "/robots.txt": [Answer(status=503), Answer(drop=True), Answer("User-agent: *\nDisallow: /b")],
        "/": linking("/b"),
        "/b": "b",
    }
    assert keys(await crawler.crawl(site), site) == ["/"]


async def test_a_site_whose_robots_stay_out_of_reach_is_left_out_and_the_agent_lives(
    site: Site, other: Site, crawler: Crawler
) -> None:
    site.pages |= {"/robots.txt": Answer(status=500), "/": "x"}
    other.pages["/"] = "y"
    records = await crawler.crawl(site, other, max_error_count=2)
    assert [record.key() for record in records] == [f"{other.url}/"]
    assert (site.count("/robots.txt"), site.count("/")) == (2, 0)


async def test_redirects_of_robots_are_followed(site: Site, crawler: Crawler) -> None:
    site.pages |= {
        "/robots.txt": redirect("/moved.txt"),
        "/moved.txt": Answer("User-agent: langstream\nDisallow: /b"),
        "/": linking("/b"),
        "/b": "b",
    }
    assert keys(await crawler.crawl(site), site) == ["/"]


async def test_the_group_of_the_product_applies_to_the_default_user_agent(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/robots.txt": "User-agent: LangStream\nDisallow: /\n\nUser-agent: *\nAllow: /", "/": "x"}
    assert await crawler.crawl(site) == []
    assert site.count("/") == 0


async def test_too_long_a_crawl_delay_forbids_everything(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/robots.txt": "User-agent: *\nCrawl-delay: 400", "/": "x"}
    assert await crawler.crawl(site) == []


async def test_robots_of_hosts_reached_by_links_are_asked_for_too(site: Site, other: Site, crawler: Crawler) -> None:
    site.pages["/"] = linking(f"{other.url}/a", f"{other.url}/b")
    other.pages |= {"/robots.txt": "User-agent: *\nDisallow: /a", "/a": "a", "/b": "b"}
    records = await crawler.crawl(site, allowed_domains=["127.0.0.1"])
    assert {record.key() for record in records} == {f"{site.url}/", f"{other.url}/b"}


async def test_without_robots_handling_nobody_asks_for_it(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/robots.txt": "User-agent: *\nDisallow: /", "/": "x"}
    assert keys(await crawler.crawl(site, handle_robots_file=False), site) == ["/"]
    assert site.count("/robots.txt") == 0


# --- sitemaps -------------------------------------------------------------------------------------------------------


def urlset(*pages: str) -> str:
    """A sitemap."""
    entries = "".join(f"<url><loc>{page}</loc></url>" for page in pages)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'


async def test_pages_of_a_sitemap_are_visited_if_allowed_and_not_disallowed(
    site: Site, other: Site, crawler: Crawler
) -> None:
    site.pages |= {
        "/robots.txt": f"Sitemap: {site.url}/map.xml\nUser-agent: *\nDisallow: /secret",
        "/": "x",
        "/map.xml": Answer(urlset(f"{site.url}/a", f"{other.url}/far", f"{site.url}/secret"), type="application/xml"),
        "/a": "a",
    }
    assert keys(await crawler.crawl(site), site) == ["/", "/a"]
    assert other.requests == []
    assert site.count("/secret") == 0
    ledger = crawler.ledger()
    assert ledger.known()[f"{site.url}/a"] == (State.DONE, 0)
    ledger.close()


async def test_an_index_leads_to_packed_sitemaps_even_beyond_the_limit_of_pages(site: Site, crawler: Crawler) -> None:
    index = f"<sitemapindex><sitemap><loc>{site.url}/1.xml.gz</loc></sitemap></sitemapindex>"
    site.pages |= {
        "/robots.txt": "Sitemap: /index.xml",
        "/": "x",
        "/index.xml": index,
        "/1.xml.gz": Answer(gzip.compress(urlset(f"{site.url}/a", f"{site.url}/b").encode()), type="application/gzip"),
        "/a": "a",
        "/b": "b",
    }
    assert keys(await crawler.crawl(site, max_urls=1), site) == ["/"]
    assert site.count("/1.xml.gz") == 1


async def test_a_sitemap_that_fails_is_tried_again_and_then_left(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/robots.txt": "Sitemap: /map.xml", "/": "x", "/map.xml": Answer(status=500)}
    assert keys(await crawler.crawl(site, max_error_count=2), site) == ["/"]
    assert site.count("/map.xml") == 2


# --- what is followed -----------------------------------------------------------------------------------------------


async def test_only_anchors_are_followed_and_only_to_pages(site: Site, crawler: Crawler) -> None:
    site.pages["/"] = (
        "<link href='/style'><map><area href='/area'></map><a href='mailto:a@b.c'>m</a>"
        "<a href='javascript:void(0)'>j</a><a>none</a><a href='ftp://h/x'>f</a>"
    )
    await crawler.crawl(site)
    assert site.paths() == ["/"]


async def test_links_are_not_followed_where_scanning_is_off(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/": linking("/a"), "/a": "a"}
    assert keys(await crawler.crawl(site, scan_html_documents=False), site) == ["/"]


async def test_nofollow_and_noindex_are_respected_wherever_they_stand(site: Site, crawler: Crawler) -> None:
    site.pages |= {
        "/": "<a href='/ad' rel='sponsored nofollow'>ad</a>" + linking("/hidden", "/leaf", "/header", "/other"),
        "/hidden": "<meta name=robots content='noindex'>" + linking("/behind"),
        "/behind": "behind",
        "/leaf": "<meta name=ROBOTS content='noarchive, NOFOLLOW'>" + linking("/unseen"),
        "/header": Answer(linking("/unseen"), headers={"X-Robots-Tag": "none"}),
        "/other": Answer("o", headers={"X-Robots-Tag": "otherbot: noindex"}),
    }
    assert keys(await crawler.crawl(site), site) == ["/", "/leaf", "/other", "/behind"]
    assert site.count("/ad") == site.count("/unseen") == 0


async def test_wishes_of_pages_are_ignored_where_that_is_asked_for(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/": "<meta name=robots content=none><a rel=nofollow href='/a'>a</a>", "/a": "a"}
    assert keys(await crawler.crawl(site, handle_robots_tags=False), site) == ["/", "/a"]


async def test_refreshes_and_bases_lead_on(site: Site, crawler: Crawler) -> None:
    site.pages |= {
        "/": "<meta http-equiv=refresh content='0; URL=/docs/'>",
        "/docs/": "<base href='/base/'><a href='x'>x</a>",
        "/base/x": "x",
    }
    assert keys(await crawler.crawl(site), site) == ["/", "/docs/", "/base/x"]


async def test_foreign_links_and_forbidden_paths_are_left_alone_and_cost_nothing(
    site: Site, other: Site, crawler: Crawler
) -> None:
    foreign = [f"{other.url}/{number}" for number in range(5)]
    site.pages |= {"/": linking(*foreign, "/skip/1", "/a"), "/a": "a", "/skip/1": "s"}
    assert keys(await crawler.crawl(site, max_urls=2, forbidden_paths=["/skip"]), site) == ["/", "/a"]
    assert other.requests == []
    assert site.count("/skip/1") == 0


async def test_the_number_and_depth_of_pages_are_limited(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/": linking("/1", "/x", "/y"), "/1": linking("/2"), "/2": linking("/3"), "/x": "x"}
    assert keys(await crawler.crawl(site, max_urls=2), site) == ["/", "/1"]
    deep = Crawler(crawler.directory / "deep")
    assert keys(await deep.crawl(site, max_depth=2), site) == ["/", "/1", "/x", "/2"]


# --- canonical addresses --------------------------------------------------------------------------------------------


def canonical(target: str, text: str = "same") -> str:
    """A page that names its canonical address."""
    return f"<head><link rel=canonical href='{target}'></head><body>{text}<a href='/deep'>d</a></body>"


async def test_a_page_is_emitted_under_its_canonical_address_only(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/": canonical("/home"), "/home": canonical("/home"), "/deep": "d"}
    assert sorted(keys(await crawler.crawl(site), site)) == ["/deep", "/home"]


async def test_canonical_addresses_that_lead_nowhere_or_in_circles_lose_no_page(site: Site, crawler: Crawler) -> None:
    site.pages |= {
        "/": linking("/a", "/c", "/far", "/e"),
        "/a": canonical("/b", "a"),
        "/b": canonical("/a", "b"),
        "/c": canonical("/missing", "c"),
        "/far": canonical("https://example.org/", "far"),
        "/e": canonical("/f", "e"),
        "/f": redirect("/e"),
    }
    assert sorted(keys(await crawler.crawl(site), site)) == ["/", "/b", "/c", "/e", "/far"]


async def test_canonical_links_can_be_ignored(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/": canonical("/home"), "/home": "h"}
    assert keys(await crawler.crawl(site, follow_canonical_links=False), site) == ["/"]


# --- answers --------------------------------------------------------------------------------------------------------


async def test_a_redirect_leads_to_its_target_and_is_not_emitted(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/": linking("/old", "/far"), "/old": redirect("/new"), "/new": "new", "/far": redirect("//h.test/")}
    assert keys(await crawler.crawl(site), site) == ["/", "/new"]
    assert crawler.states(site) == {
        "/": State.DONE,
        "/old": State.REDIRECT,
        "/far": State.REDIRECT,
        "/new": State.DONE,
    }


async def test_a_site_that_redirects_to_itself_for_a_cookie_gets_it(site: Site, crawler: Crawler) -> None:
    def guarded(request: object) -> Answer:
        cookie = site.requests[-1].cookies.get("seen")
        return Answer("in") if cookie else Answer(status=302, headers={"Location": "/", "Set-Cookie": "seen=1"})

    site.pages["/"] = guarded
    assert keys(await crawler.crawl(site), site) == ["/"]
    assert await Crawler(crawler.directory / "b").crawl(site, handle_cookies=False) == []


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_waited_for(site: Site, crawler: Crawler, status: int) -> None:
    site.pages |= {
        "/": linking("/busy", "/a"),
        "/busy": [Answer(status=status, headers={"Retry-After": "1"}), Answer("now")],
        "/a": "a",
    }
    assert sorted(keys(await crawler.crawl(site), site)) == ["/", "/a", "/busy"]
    first, second = [
        moment for moment, request in zip(site.moments, site.requests, strict=True) if request.path != "/robots.txt"
    ][1:3]
    assert second[0] - first[1] >= 0.95  # the whole site was left in peace


async def test_a_site_that_lets_nobody_in_for_long_is_left_to_the_next_crawl(
    site: Site, other: Site, crawler: Crawler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "MAX_TROUBLES", 4)
    site.pages["/"] = linking(*(f"{other.url}/{number}" for number in range(50)), "/a")
    site.pages["/a"] = "a"
    other.pages |= {f"/{number}": Answer(drop=True) for number in range(50)}
    options = {"allowed_domains": ["127.0.0.1"], "handle_robots_file": False, "max_error_count": 2}
    assert keys(await crawler.crawl(site, **options), site) == ["/", "/a"]
    assert 4 <= len(other.requests) < 10


async def test_a_failing_page_comes_later_and_a_missing_one_is_dropped(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/": linking("/503", "/404"), "/503": [Answer(status=503), Answer(status=503), Answer("up")]}
    assert keys(await crawler.crawl(site, max_error_count=5), site) == ["/", "/503"]
    assert site.count("/404") == 1
    assert crawler.states(site) == {"/": State.DONE, "/503": State.DONE, "/404": State.GONE}


@pytest.mark.parametrize(("attempts", "requests"), [(3, 3), (1, 1), (0, 1)])
async def test_a_page_is_given_up_after_so_many_attempts(
    site: Site, crawler: Crawler, attempts: int, requests: int
) -> None:
    site.pages["/"] = Answer(status=503)
    assert await crawler.crawl(site, max_error_count=attempts) == []
    assert site.count("/") == requests
    assert await rests(await crawler.source(site, max_error_count=attempts))  # nothing is left to do after a restart
    assert site.count("/") == requests


async def test_attempts_are_counted_across_restarts(site: Site, crawler: Crawler) -> None:
    site.pages["/"] = Answer(status=503)
    ledger = crawler.ledger()
    ledger.begin_crawl(0)
    [place] = ledger.add([f"{site.url}/"], 0)
    for _ in range(2):
        ledger.failed(ledger.pending(place)[0])
    ledger.close()
    await crawler.crawl(site, max_error_count=3)
    assert site.count("/") == 1
    assert crawler.states(site) == {"/": State.FAILED}


@pytest.mark.parametrize(("attempts", "expected"), [(5, ["/"]), (1, [])])
async def test_lost_connections_count_as_attempts(
    site: Site, crawler: Crawler, attempts: int, expected: list[str]
) -> None:
    site.pages["/"] = [Answer(drop=True), Answer(drop=True), Answer(drop=True), Answer("up")]
    options = {"handle_robots_file": False, "max_error_count": attempts}
    assert keys(await crawler.crawl(site, **options), site) == expected


async def test_binary_contents_are_emitted_exactly_where_that_is_asked_for(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/": linking("/a.pdf"), "/a.pdf": Answer(b"%PDF\x00\xff", type="application/pdf")}
    records = await crawler.crawl(site, allow_non_html_contents=True)
    assert value_of(records, f"{site.url}/a.pdf") == b"%PDF\x00\xff"
    assert header(records[1].headers(), "content_type") == "application/pdf"
    assert site.count("/a.pdf") == 1
    assert keys(await Crawler(crawler.directory / "b").crawl(site), site) == ["/"]


async def test_other_texts_come_as_they_are(site: Site, crawler: Crawler) -> None:
    site.pages |= {
        "/": linking("/t", "/x"),
        "/t": Answer("gr\xfcn <b>".encode("latin-1"), type="text/plain; charset=iso-8859-1"),
        "/x": Answer('<?xml version="1.0"?><a/>', type="application/xml"),
    }
    records = await crawler.crawl(site)
    assert value_of(records, f"{site.url}/t") == "grün <b>".encode()
    assert header(records[1].headers(), "content_type") == "text/plain;charset=utf-8"
    assert value_of(records, f"{site.url}/x") == b'<?xml version="1.0"?><a/>'


async def test_a_page_without_content_type_is_looked_at(site: Site, crawler: Crawler) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw + b"<p>Hi</p>")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        [record] = await crawler.crawl(seed_urls=[url], allowed_domains=[url], handle_robots_file=False)
    assert b"<p>Hi</p>" in record.value()
    assert header(record.headers(), "content_type") is None


async def test_pages_beyond_the_limit_are_left_out_packed_bombs_too(
    site: Site, crawler: Crawler, caplog: pytest.LogCaptureFixture
) -> None:
    bomb = zlib.compress(b"x" * 50_000_000)
    site.pages |= {
        "/": linking("/long", "/bomb", "/ok"),
        "/long": "x" * 5000,
        "/bomb": Answer(bomb, headers={"Content-Encoding": "deflate"}),
        "/ok": "x" * 500,
    }
    assert keys(await crawler.crawl(site, max_page_size="4K"), site) == ["/", "/ok"]
    left_out = [record for record in caplog.records if "more than max-page-size (4096 bytes)" in record.message]
    assert len(left_out) == 2
    assert site.count("/bomb") == 1


async def test_a_page_that_takes_too_long_counts_as_an_error(site: Site, crawler: Crawler) -> None:
    site.pages["/"] = "x"
    site.seconds = 5
    options = {"http_timeout": 50, "max_error_count": 2, "handle_robots_file": False}
    assert await crawler.crawl(site, **options) == []
    assert site.count("/") == 2


# --- manners --------------------------------------------------------------------------------------------------------


async def test_the_crawler_introduces_itself(site: Site, crawler: Crawler) -> None:
    site.pages["/"] = "x"
    await crawler.crawl(site, user_agent="")
    await Crawler(crawler.directory / "b").crawl(site, user_agent="mine/1")
    agents = [request.headers["User-Agent"] for request in site.requests if request.path == "/"]
    assert agents == ["Mozilla/5.0 (compatible; LangStream.ai/0.1; +https://langstream.ai)", "mine/1"]


async def test_cookies_are_sent_back_unless_switched_off(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/": Answer(linking("/a"), headers={"Set-Cookie": "session=7"}), "/a": "a"}
    await crawler.crawl(site)
    await Crawler(crawler.directory / "b").crawl(site, handle_cookies=False)
    cookies = [request.cookies.get("session") for request in site.requests if request.path == "/a"]
    assert cookies == ["7", None]


async def test_the_longer_of_two_pauses_is_kept(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/robots.txt": "User-agent: *\nCrawl-delay: 0.3", "/": linking("/a"), "/a": "a"}
    await crawler.crawl(site, min_time_between_requests=50)
    gaps = [after[0] - before[1] for before, after in zip(site.moments, site.moments[1:], strict=False)]
    assert gaps[0] >= 0.045  # after robots.txt as well
    assert gaps[1] >= 0.29


async def test_several_sites_are_visited_at_once_and_each_one_request_at_a_time(
    site: Site, other: Site, crawler: Crawler
) -> None:
    for place in (site, other):
        place.pages |= {"/": linking("/1", "/2", "/3"), "/1": "1", "/2": "2", "/3": "3"}
        place.seconds = 0.05
    await crawler.crawl(site, other)
    for place in (site, other):
        assert all(before[1] <= after[0] for before, after in zip(place.moments, place.moments[1:], strict=False))
    assert any(mine[0] < theirs[1] and theirs[0] < mine[1] for mine in site.moments for theirs in other.moments)


# --- the network inside ---------------------------------------------------------------------------------------------


async def test_a_redirect_or_link_does_not_lead_to_a_private_host_that_nobody_named(
    site: Site, crawler: Crawler, caplog: pytest.LogCaptureFixture
) -> None:
    inside = f"http://127.0.0.2:{site.port}"
    site.pages |= {"/": linking("/to", f"{inside}/b"), "/to": redirect(f"{inside}/a")}
    options = {"allowed_domains": [site.url, "*.0.0.2"], "handle_robots_file": False}
    assert keys(await crawler.crawl(site, **options), site) == ["/"]
    assert site.paths() == ["/", "/to"]
    assert "127.0.0.2, which is not a public address" in caplog.text


async def test_robots_that_redirect_into_the_private_network_are_not_followed(site: Site, crawler: Crawler) -> None:
    site.pages |= {"/robots.txt": redirect(f"http://127.0.0.2:{site.port}/inside"), "/": "x"}
    assert await crawler.crawl(site) == []
    assert site.count("/inside") == 0


async def test_a_name_of_a_seed_may_be_private(site: Site, crawler: Crawler) -> None:
    site.pages["/"] = "x"
    named = f"http://localhost:{site.port}/"
    [record] = await crawler.crawl(seed_urls=[named], allowed_domains=["localhost"])
    assert record.key() == named
