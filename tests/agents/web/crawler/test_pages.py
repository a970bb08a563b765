"""Pages: their character sets, their printed form, links, wishes and canonical addresses."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from langstream.agents.text.html_text import html_text
from langstream.agents.web.crawler.charset import decode_page
from langstream.agents.web.crawler.markup import pretty
from langstream.agents.web.crawler.pages import Page, Reading, read_page

URL = "http://h/dir/page"


def page(body: str | bytes, content_type: str = "text/html", **reading: object) -> Page:
    """A page that was read."""
    data = body.encode() if isinstance(body, str) else body
    return read_page(URL, data, content_type, "", Reading(**reading))  # type: ignore[arg-type]


def printed(body: str) -> str:
    """The value of a page."""
    return page(body).value.decode()


def skeleton(*lines: str) -> str:
    """A document with these lines in its body."""
    return "\n".join(["<html>", " <head></head>", " <body>", *(f"  {line}" for line in lines), " </body>", "</html>"])


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('<a href="secondPage.html">link</a>', ['<a href="secondPage.html">link</a>']),
        ('<a href="1">one</a>\n<a href="2">two</a>\n', ['<a href="1">one</a> <a href="2">two</a>']),
        ("Hello!", ["Hello!"]),
        ("<p>a <b>b</b>c</p> <p>d", ["<p>a <b>b</b>c</p>", "<p>d</p>"]),
        ("<div><p>x</p>y</div>", ["<div>", " <p>x</p>", " y", "</div>"]),
        ("<ul><li>1<li>2</ul>", ["<ul>", " <li>1</li>", " <li>2</li>", "</ul>"]),
        ("<pre>\n a\n  b</pre>", ["<pre> a\n  b</pre>"]),
        ("a<br>b", ["a<br>b"]),
        ("x<script>if (a < b) '</p>'</script>", ["x", "<script>if (a < b) '</p>'</script>"]),
        ('<img alt="a > b &quot;c&quot;">', ['<img alt="a &gt; b &quot;c&quot;">']),
        ("1 &lt; 2 &amp; 3", ["1 &lt; 2 &amp; 3"]),
    ],
)
def test_blocks_stand_on_lines_of_their_own(source: str, lines: list[str]) -> None:
    assert printed(source) == skeleton(*lines)


def test_a_doctype_comes_first() -> None:
    assert printed("<!doctype html><title> T </title>x").startswith(
        "<!DOCTYPE html>\n<html>\n <head>\n  <title>T</title>"
    )


FRAGMENTS = st.recursive(
    st.text(alphabet="ab <>&\"'\n", max_size=6).map(lambda text: text.replace("<", "&lt;")),
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(parts)}</{name}>",
        st.sampled_from(["div", "p", "b", "a", "ul", "li", "pre", "table", "td", "span", "textarea", "h1", "svg"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)


@given(FRAGMENTS)
def test_printing_changes_neither_structure_nor_words(source: str) -> None:
    html = LexborHTMLParser(source).html or ""
    again = LexborHTMLParser(pretty(html)).html or ""
    assert re.findall(r"<[^<>]+>", again) == re.findall(r"<[^<>]+>", html)
    assert html_text(again).split() == html_text(html).split()


@given(st.text(max_size=100))
def test_any_text_can_be_read_as_a_page(source: str) -> None:
    assert page(source.encode("utf-8", "replace")).value.startswith((b"<html", b"<!DOCTYPE"))


@given(st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"]), st.binary(max_size=100))
def test_any_bytes_can_be_read_as_a_page(mark: bytes, body: bytes) -> None:
    page(mark + body).value.decode()


# --- character sets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "text", "name"),
    [
        ("ü".encode(), "text/html", "ü", "utf-8"),
        ("ü".encode("latin-1"), "text/html", "ü", "cp1252"),
        (b"\x80", "text/html; charset=iso-8859-1", "€", "cp1252"),
        ("ж".encode("koi8-r"), 'text/html; charset="KOI8-R"', "ж", "koi8-r"),
        (
            b"<meta charset=shift_jis>" + "日本".encode("shift_jis"),
            "text/html",
            "<meta charset=shift_jis>日本",
            "cp932",
        ),
        ("\ufeffü".encode("utf-16-le"), "text/html; charset=utf-8", "ü", "utf-16-le"),
        (b"\xef\xbb\xbfa", "text/html; charset=latin1", "a", "utf-8"),
        ("ü".encode(), "text/html; charset=us-ascii", "Ã¼", "cp1252"),
        ("жж".encode(), "text/html; charset=shift_jis-nonsense", "жж", "utf-8"),
        ("日本".encode(), "text/html; charset=euc-kr", "日本", "utf-8"),
        (b"ok \xff", "text/html; charset=utf-8", "ok \ufffd", "utf-8"),
        (b"<meta charset=utf-16>a", "text/html", "<meta charset=utf-16>a", "utf-8"),
        (b"a", "text/html; charset=base64", "a", "utf-8"),
    ],
)
def test_pages_are_decoded_as_browsers_do(body: bytes, content_type: str, text: str, name: str) -> None:
    assert decode_page(body, content_type) == (text, name)


def test_a_recoded_page_says_so_everywhere() -> None:
    body = '<meta charset="latin1"><meta http-equiv="Content-Type" content="text/html; charset=latin1">ü'
    result = page(body.encode("latin-1"), "text/html; charset=ISO-8859-1")
    assert result.content_type == "text/html;charset=utf-8"
    assert "latin1" not in result.value.decode()
    assert "ü" in result.value.decode()


# --- links and wishes -----------------------------------------------------------------------------------------------


def test_links_are_absolute_distinct_and_in_order() -> None:
    body = "<a href=b>b</a><a href='/a'>a</a><a href='b#x'>b</a><a href='mailto:x'>m</a>"
    assert page(body).links == ("http://h/dir/b", "http://h/a")


def test_links_are_not_looked_for_where_nobody_wants_them() -> None:
    assert page("<a href=b>b</a>", links=False).links == ()


@pytest.mark.parametrize(
    ("tag", "index", "links"),
    [
        ("", True, 1),
        ("noindex", False, 1),
        ("nofollow", True, 0),
        ("NONE", False, 0),
        ("noarchive, noindex", False, 1),
        ("mybot: noindex, nofollow", False, 0),
        ("otherbot: noindex, nofollow", True, 1),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST, noindex", False, 1),
    ],
)
def test_the_header_tells_wishes(tag: str, index: bool, links: int) -> None:
    result = read_page(URL, b"<a href=b>b</a>", "text/html", tag, Reading(token="mybot"))
    assert (result.index, len(result.links)) == (index, links)


def test_a_wish_may_be_addressed_to_one_crawler() -> None:
    body = "<meta name=mybot content=noindex>"
    assert not page(body, token="mybot").index
    assert page(body, token="another").index


def test_the_canonical_address_is_that_of_the_head() -> None:
    assert page("<link rel='canonical' href='/c'>").canonical == "http://h/c"
    assert page("<body><link rel='canonical' href='/c'>").canonical is None
    assert page("<link rel='canonical' href='/c'>", canonical=False).canonical is None
    assert page("<link rel='canonical' href=''>").canonical == URL


def test_equal_values_have_equal_digests() -> None:
    assert page("a").digest == page("a").digest != page("b").digest
