"""robots.txt: groups, rules, delays and sitemaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.web.crawler.options import DEFAULT_USER_AGENT
from langstream.agents.web.crawler.robots import parse_robots, product_token


@pytest.mark.parametrize(
    ("agent", "token"),
    [(DEFAULT_USER_AGENT, "langstream"), ("MyBot/2.0 (+http://x)", "mybot"), ("  my_bot-x ", "my_bot-x"), ("1/2", "")],
)
def test_the_product_is_what_robots_know_a_crawler_by(agent: str, token: str) -> None:
    assert product_token(agent) == token


@pytest.mark.parametrize(
    ("rules", "target", "allowed"),
    [
        ("Disallow: /a", "/a/b", False),
        ("Disallow: /a", "/b", True),
        ("Disallow:", "/a", True),
        ("Disallow: /", "/robots.txt", True),
        ("Disallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("Allow: /a/b\nDisallow: /a", "/a/c", False),
        ("Disallow: /a\nAllow: /a", "/a", True),
        ("Disallow: /*.pdf$", "/x/y.pdf", False),
        ("Disallow: /*.pdf$", "/x/y.pdf?z", True),
        ("Disallow: /*.pdf", "/x/y.pdf?z", False),
        ("Disallow: /a*b*c", "/axxbyyc", False),
        ("Disallow: /a*b*c", "/axxcyyb", True),
        ("Disallow: /a*bc$", "/abcbc", False),
        ("Disallow: /abc*abc$", "/abc", True),
        ("Disallow: /$", "/", False),
        ("Disallow: /$", "/a", True),
        ("Disallow: *secret", "/a/secret", False),
        ("Disallow: a", "/a", False),
        ("Disallow: /ä", "/%C3%A4", False),
        ("Disallow: /%c3%a4", "/%C3%A4", False),
        ("Disallow: /%7Ea", "/~a", False),
        ("Disallow: /a%2Fb", "/a/b", True),
        ("Disallow: /search?q", "/search?q=1", False),
        ("Disallow: /A", "/a", True),
        ("disallow : /a # why", "/a", False),
        ("Dissallow: /a", "/a", False),
        ("Nonsense\nDisallow: /a", "/a", False),
    ],
)
def test_the_longest_rule_decides(rules: str, target: str, allowed: bool) -> None:
    assert parse_robots(f"User-agent: *\n{rules}", "bot").allows(target) is allowed


def test_the_own_group_wins_over_that_for_all_and_several_count_as_one() -> None:
    content = """\
User-agent: *
Disallow: /all

User-agent: other
User-agent: BOT/1.0
Disallow: /one

User-agent: bot
Disallow: /two
"""
    robots = parse_robots(content, "bot")
    assert [robots.allows(path) for path in ("/all", "/one", "/two")] == [True, False, False]
    assert not parse_robots(content, "unknown").allows("/all")


def test_an_empty_own_group_allows_everything() -> None:
    assert parse_robots("User-agent: *\nDisallow: /\n\nUser-agent: bot\nDisallow:", "bot").allows("/a")


def test_rules_before_any_group_mean_nothing() -> None:
    assert parse_robots("Disallow: /\nUser-agent: *\nAllow: /", "bot").allows("/a")


@pytest.mark.parametrize(
    ("line", "delay"),
    [("Crawl-delay: 2.5", 2.5), ("crawl-delay: x", None), ("Crawl-delay: -1", None), ("Crawl-delay: inf", None)],
)
def test_delays_are_seconds(line: str, delay: float | None) -> None:
    assert parse_robots(f"User-agent: *\n{line}", "bot").delay_seconds == delay


def test_more_than_the_longest_delay_forbids_everything() -> None:
    assert parse_robots("User-agent: *\nCrawl-delay: 300", "bot").allows("/a")
    assert not parse_robots("User-agent: *\nCrawl-delay: 301", "bot").allows("/a")


def test_sitemaps_belong_to_everybody_and_do_not_end_a_group() -> None:
    robots = parse_robots("User-agent: a\nSitemap: http://h/1#x\nUser-agent: bot\nDisallow: /x\nSitemap: /2\n", "bot")
    assert robots.sitemaps == ("http://h/1#x", "/2")
    assert not robots.allows("/x")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_like_and_a_mark_may_come_first(end: str) -> None:
    assert not parse_robots(f"\ufeffUser-agent: *{end}Disallow: /a", "bot").allows("/a")


def test_a_page_in_place_of_the_file_allows_everything() -> None:
    assert parse_robots("<html><body>User-agent: none of this</body></html>", "bot").allows("/a")


@given(st.text(alphabet="ab*$", max_size=12), st.text(alphabet="ab", max_size=8))
def test_patterns_mean_what_the_equal_expression_means(pattern: str, rest: str) -> None:
    import re

    text, target = f"/{pattern}", f"/{rest}"
    body = text.removesuffix("$")
    expression = ".*".join(re.escape(part) for part in body.split("*")) + ("$" if text.endswith("$") else "")
    expected = re.match(expression, target) is None
    assert parse_robots(f"User-agent: *\nDisallow: {text}", "bot").allows(target) is expected


@given(st.text(max_size=200))
def test_any_text_can_be_read(content: str) -> None:
    parse_robots(content, "bot").allows("/a")


def test_a_pattern_full_of_wildcards_costs_no_more_than_another() -> None:
    robots = parse_robots("User-agent: *\nDisallow: /" + "*a" * 200 + "*b", "bot")
    assert robots.allows("/" + "a" * 3000)
