"""Sitemaps in their forms, whole, broken and hostile."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.web.crawler import sitemaps
from langstream.agents.web.crawler.sitemaps import read_sitemap

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def test_an_urlset_lists_pages_and_not_their_images() -> None:
    body = f"""<?xml version="1.0"?>
<urlset {NAMESPACE} xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
 <url><loc> http://h/a?x=1&amp;y=2 </loc><image:image><image:loc>http://h/i.png</image:loc></image:image></url>
 <url><loc><![CDATA[http://h/b]]></loc></url>
</urlset>"""
    sitemap = read_sitemap(body.encode())
    assert (sitemap.pages, sitemap.sitemaps, sitemap.complete) == (["http://h/a?x=1&y=2", "http://h/b"], [], True)


def test_an_index_lists_sitemaps_with_or_without_a_namespace() -> None:
    entry = "<sitemap><loc>http://h/1.xml</loc></sitemap>"
    for root in ("<sitemapindex>", f"<sitemapindex {NAMESPACE}>"):
        assert read_sitemap(f"{root}{entry}</sitemapindex>".encode()).sitemaps == ["http://h/1.xml"]


def test_feeds_and_lists_are_sitemaps_too() -> None:
    rss = b"<rss><channel><link>http://h/</link><item><link>http://h/1</link></item></channel></rss>"
    atom = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="http://h/2"/>'
        b'<link rel="self" href="http://h/3"/></entry></feed>'
    )
    assert read_sitemap(rss).pages == ["http://h/1"]
    assert read_sitemap(atom).pages == ["http://h/2"]
    assert read_sitemap(b"\xef\xbb\xbfhttp://h/1\r\nhttp://h/2\nnonsense\n").pages == ["http://h/1", "http://h/2"]


def test_packed_sitemaps_are_unpacked_in_all_their_members() -> None:
    body = gzip.compress(b"http://h/1\n") + gzip.compress(b"http://h/2\n")
    assert read_sitemap(body).pages == ["http://h/1", "http://h/2"]


@pytest.mark.parametrize(
    "cut",
    [gzip.compress(b"http://h/1\n" * 99)[:-12], b"<urlset><url><loc>http://h/1</loc></url><url>"],
    ids=["packed", "plain"],  # packed bytes hold the time: each worker would have a name of its own for the test
)
def test_what_could_be_read_of_a_broken_sitemap_counts(cut: bytes) -> None:
    sitemap = read_sitemap(cut)
    assert sitemap.pages[:1] == ["http://h/1"]
    assert not sitemap.complete


def test_bombs_and_entities_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemaps, "MAX_BYTES", 1_000_000)
    assert not read_sitemap(gzip.compress(b" " * 50_000_000)).complete
    laughs = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>'
    assert (read_sitemap(laughs).pages, read_sitemap(laughs).complete) == ([], False)
    assert not read_sitemap(b"<a>" * 5000).complete


def test_no_more_than_so_many_entries_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemaps, "MAX_ENTRIES", 3)
    assert len(read_sitemap(b"<urlset>" + b"<url><loc>http://h/1</loc></url>" * 9 + b"</urlset>").pages) == 3
    assert len(read_sitemap(b"http://h/\n" * 9).pages) == 3


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(body: bytes) -> None:
    read_sitemap(body)
    read_sitemap(b"<urlset>" + body)
