"""Addresses have one form; the scope compares their parts, never their text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.web.crawler.addresses import normal, parse, resolve
from langstream.agents.web.crawler.scope import Scope, parse_place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTP://Example.COM:80", "http://example.com/"),
        ("https://h:443/a#part", "https://h/a"),
        ("https://h:8443/a?b=1&a=2", "https://h:8443/a?b=1&a=2"),
        ("http://h/a/../b/./c/", "http://h/b/c/"),
        ("http://h/../..", "http://h/"),
        ("http://h/%7euser/%2f%zz", "http://h/~user/%2F%25zz"),
        ("http://h/a b|c{d}?q=ä ö", "http://h/a%20b%7Cc%7Bd%7D?q=%C3%A4%20%C3%B6"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://h./", "http://h/"),
        ("http://under_score.example/", "http://under_score.example/"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("http:\\\\h\\a", "http://h/a"),
        (" http://h/a\n", "http://h/a"),
        ("http://h:/", "http://h/"),
    ],
)
def test_an_address_has_one_form(text: str, expected: str) -> None:
    assert normal(text) == expected


@pytest.mark.parametrize(
    "text",
    ["not-an-url", "something:somewhere", "mailto:a@b", "ftp://h/", "http://", "http://user:secret@h/", "http://h:0/",
     "http://h:70000/", "http://a b/", "http://h/" + "x" * 5000],
)  # fmt: skip
def test_what_cannot_be_crawled_is_no_address(text: str) -> None:
    assert normal(text) is None


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("", "http://h/p/q?z"),
        ("#x", "http://h/p/q?z"),
        ("?a", "http://h/p/q?a"),
        ("a", "http://h/p/a"),
        ("../a#b", "http://h/a"),
        ("/a/./b", "http://h/a/b"),
        ("//other/x", "http://other/x"),
        ("https://h/", "https://h/"),
        ("javascript:void(0)", None),
        ("tel:+49", None),
        ("a:b/c", None),
        ("./a:b", "http://h/p/a:b"),
        ("a\n b", "http://h/p/a%20b"),
    ],
)
def test_links_are_resolved_as_browsers_do(reference: str, expected: str | None) -> None:
    assert resolve("http://h/p/q?z", reference) == expected


@given(st.text(max_size=60))
def test_the_normal_form_of_a_link_is_stable(reference: str) -> None:
    url = resolve("http://example.com/a/b?c", reference)
    if url is not None:
        assert normal(url) == url
        assert url.isascii()
        assert "#" not in url
        assert resolve(url, url) == url


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_none(text: str) -> None:
    address = parse(f"http://{text}")
    assert address is None or (address.path.startswith("/") and address.host)


@pytest.mark.parametrize(
    ("allowed", "url", "admitted"),
    [
        (["domain"], "http://domain/x", True),
        (["domain"], "https://domain/x", True),
        (["domain"], "http://domain:8080/x", True),
        (["DOMAIN"], "http://domain/", True),
        (["domain:8080"], "http://domain/x", False),
        (["domain:8080"], "http://domain:8080/x", True),
        (["https://domain"], "https://domain/x", True),
        (["https://domain"], "http://domain/x", False),
        (["http://domain"], "https://domain/x", True),
        (["https://domain:8443/"], "https://domain/x", False),
        (["https://domain/else"], "https://domain/something", False),
        (["https://domain/docs"], "https://domain/docs/a", True),
        (["https://domain/docs"], "https://domain/docs", True),
        (["https://domain/docs/"], "https://domain/docs", True),
        (["https://domain/docs"], "https://domain/docs-old", False),
        (["domain/docs"], "https://domain/docs/a", True),
        ([], "https://domain/", False),
        (["not-an-url"], "not-an-url", False),
        (["something"], "something:somewhere", False),
        (["https://example.com"], "https://example.com.evil.org/", False),
        (["https://example.com"], "https://example.com@evil.org/", False),
        (["example.com"], "https://sub.example.com/", False),
        (["*.example.com"], "https://sub.example.com/", True),
        (["*.example.com"], "https://example.com/", True),
        (["*.example.com"], "https://badexample.com/", False),
    ],
)
def test_domains_are_compared_part_by_part(allowed: list[str], url: str, admitted: bool) -> None:
    assert Scope(allowed).admits(url) is admitted


@pytest.mark.parametrize(
    ("forbidden", "url", "admitted"),
    [
        ("/something/", "https://domain/something", True),
        ("/something/", "https://domain/something/", False),
        ("/something", "https://domain/something/secondlevel", False),
        ("/something/sec", "https://domain/something/secondlevel", False),
        ("/secondlevel", "https://domain/something/secondlevel", True),
        ("/something-else", "https://domain/something/secondlevel", True),
        ("/", "https://domain", False),
        ("/", "https://domain/", False),
        ("/a b", "https://domain/a%20b", False),
        ("drafts", "https://domain/drafts/1", False),
    ],
)
def test_forbidden_paths_are_beginnings_of_decoded_paths(forbidden: str, url: str, admitted: bool) -> None:
    assert Scope(["domain"], [forbidden]).admits(url) is admitted


@pytest.mark.parametrize("entry", ["", "a b", "ftp://x/", "http://", "user@host", "*.", "?"])
def test_what_means_no_place_is_told(entry: str) -> None:
    assert parse_place(entry) is None
