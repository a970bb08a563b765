"""The options: what is accepted, what is refused, and what people are told."""

from __future__ import annotations

from typing import Any

import pytest

from langstream.agents.web.crawler import AGENT
from langstream.agents.web.crawler.options import DEFAULT_USER_AGENT, WebCrawlerConfiguration, check_options
from langstream.agents.web.crawler.source import WebCrawlerSource
from langstream.configuration.validation import check
from langstream.sdk.contract import AgentContext
from tests.agents.web.crawler.sites import Crawler, Site, rests

BASE = {"seed-urls": ["https://h/docs"], "allowed-domains": ["https://h/"]}


def problems(**options: Any) -> str:
    """What is wrong with options."""
    _, found = check(WebCrawlerConfiguration, {**BASE, **options}, subject="agent")
    return "\n".join(map(str, found))


def valid(**options: Any) -> WebCrawlerConfiguration:
    """Options that are right."""
    model, found = check(WebCrawlerConfiguration, {**BASE, **options}, subject="agent")
    assert model is not None, found
    return model


def test_the_defaults_are_those_of_the_reference() -> None:
    options = valid()
    assert (options.max_urls, options.max_depth, options.max_error_count) == (1000, 50, 5)
    assert (options.min_time_between_requests, options.http_timeout) == (500, 10_000)
    assert (options.reindex_interval_seconds, options.max_unflushed_pages) == (86_400, 100)
    assert (options.handle_robots_file, options.scan_html_documents, options.handle_cookies) == (True, True, True)
    assert not options.allow_non_html_contents
    assert options.user_agent == DEFAULT_USER_AGENT
    assert not options.keeps_state_in_bucket


def test_lists_may_be_text_with_commas() -> None:
    options = valid(**{"seed-urls": "https://h/a, https://h/b", "allowed-domains": "h,g"})
    assert options.seed_urls == ("https://h/a", "https://h/b")
    assert options.allowed_domains == ("h", "g")


def test_addresses_in_lists_may_hold_commas() -> None:
    assert valid(**{"seed-urls": ["https://h/a,b"]}).seed_urls == ("https://h/a,b",)


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("seed-urls", [], "seed-urls"),
        ("allowed-domains", None, "allowed-domains"),
        ("seed-urls", ["h/docs"], "expected one like https://example.com/docs"),
        ("allowed-domains", ["a b"], "neither a host"),
        ("forbidden-paths", ["https://h/x"], "expected the beginning of a path"),
        ("state-storage", "nfs", "state-storage"),
        ("emit-content-diff", ["changed"], "content_changed"),
        ("max-page-size", "10MB", "such as 500000, 512K, 100M or 2G"),
        ("http-timeout", 0, "http-timeout"),
        ("endpoint", "minio:9000", "http://HOST:PORT"),
        ("max-url", 3, "max-urls"),
    ],
)
def test_mistakes_are_told(option: str, value: object, told: str) -> None:
    assert told in problems(**{option: value})


def test_seeds_that_may_not_be_visited_are_told() -> None:
    options = valid(**{"seed-urls": ["https://h/a", "https://www.h/"], "forbidden-paths": ["/a"]})
    found = list(check_options(options, None))  # type: ignore[arg-type]
    assert [finding.path for finding in found] == [("seed-urls", 0), ("seed-urls", 1)]
    assert "https://www.h/" in found[1].message


def test_credentials_are_not_shown() -> None:
    options = valid(endpoint="http://s3", **{"access-key": "name", "secret-key": "hidden"})
    assert options.keeps_state_in_bucket
    assert "hidden" not in str(WebCrawlerSource(options).info())


def test_the_type_asks_for_state_and_may_stand_beside_others() -> None:
    assert AGENT.keeps_state
    assert AGENT.composable == "optional"
    assert AGENT.example


async def test_only_the_first_of_several_replicas_crawls(site: Site, crawler: Crawler) -> None:
    site.pages["/"] = "x"
    source = WebCrawlerSource(crawler.options(site))
    await source.start(AgentContext("pages", "app", state_directory=crawler.directory, replica=1, replicas=2))
    await source.resume(None)
    assert await rests(source)
    await source.close()
    assert site.requests == []


async def test_a_crawler_that_was_never_started_can_be_closed() -> None:
    source = WebCrawlerSource(valid())
    await source.close()
    assert source.info()["visits"] == 0


async def test_a_crawl_that_breaks_stops_the_agent(
    site: Site, crawler: Crawler, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langstream.agents.web.crawler.ledger import Ledger
    from langstream.errors import AgentFailed

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    site.pages["/"] = "x"
    monkeypatch.setattr(Ledger, "add", full)
    source = await crawler.source(site)
    with pytest.raises(AgentFailed, match="the crawler broke: OSError: no space left on device"):
        await source.read(1)
