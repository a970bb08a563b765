"""What a page says: the value of its record, where its links lead, and what it asks of crawlers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from langstream.agents.web.crawler.addresses import resolve
from langstream.agents.web.crawler.charset import decode_page, with_charset
from langstream.agents.web.crawler.markup import pretty

HTML_TYPES: Final = ("text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml")
_LOOKS_LIKE_HTML: Final = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|h1|p|div|a)\b", re.IGNORECASE | re.DOTALL
)
_REFRESH: Final = re.compile(r"\s*[\d.]+\s*[;,]\s*(?:url\s*=\s*)?[\"']?([^\"']+)", re.IGNORECASE)
_DIRECTIVE: Final = re.compile(r"[\s,]+")
_VALUED: Final = ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview")


@dataclass(frozen=True, slots=True)
class Reading:
    """How pages are read: are links wanted, are the wishes of pages respected, under which name are we known."""

    links: bool = True
    tags: bool = True
    canonical: bool = True
    token: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was understood. `index` tells whether it may be emitted."""

    value: bytes
    content_type: str
    links: tuple[str, ...] = ()
    canonical: str | None = None
    index: bool = True

    is_binary: bool = False

    @property
    def digest(self) -> bytes:
        """Equal for equal values."""
        return blake2b(self.value, digest_size=16).digest()


def media_type(content_type: str) -> str:
    """`Text/HTML; charset=x` → `text/html`."""
    return content_type.partition(";")[0].strip().lower()


def is_text(content_type: str) -> bool:
    """Whether the media type is text or XML; an absent one may be."""
    kind = media_type(content_type)
    return not kind or kind.startswith("text/") or kind.endswith(("/xml", "+xml"))


def read_page(url: str, body: bytes, content_type: str, robots_tag: str, reading: Reading) -> Page:
    """The page at that address. `robots_tag` is the `X-Robots-Tag` of the response."""
    index, follow = _wishes([robots_tag], reading) if robots_tag else (True, True)
    kind = media_type(content_type)
    if kind in HTML_TYPES or (not kind and _LOOKS_LIKE_HTML.match(body[:4096])):
        return _read_html(url, body, content_type, index, follow, reading)
    if kind.startswith("text/") and kind != "text/xml" and b"\0" not in body[:4096]:
        text, name = decode_page(body, content_type)
        return Page(text.encode("utf-8", "replace"), _recoded(content_type, name), index=index)
    binary = b"\0" in body[:4096] if not kind else not is_text(content_type)
    return Page(body, content_type, index=index, is_binary=binary)


def _read_html(url: str, body: bytes, content_type: str, index: bool, follow: bool, reading: Reading) -> Page:
    from selectolax.lexbor import LexborHTMLParser

    text, charset = decode_page(body, content_type)
    tree = LexborHTMLParser(text)
    head = _Head(tree, url)
    if reading.tags:
        allowed_index, allowed_follow = _wishes(head.robots(reading.token), reading)
        index, follow = index and allowed_index, follow and allowed_follow
    links: tuple[str, ...] = ()
    if reading.links and follow:
        links = tuple(dict.fromkeys([*_links(tree, head.base, reading.tags), *head.refreshes()]))
    canonical = head.canonical() if reading.canonical else None
    if charset != "utf-8":
        _declare_utf8(tree)
    value = pretty(tree.html or "").encode("utf-8", "replace")
    return Page(value, _recoded(content_type, charset), links, canonical, index)


class _Head:
    """What the head of a page says; searched once."""

    def __init__(self, tree: Any, url: str) -> None:
        base: str | None = None
        self._metas: list[dict[str, str]] = []
        self._canonical: list[str] = []
        for node in tree.head.css("base[href], meta, link[rel]") if tree.head is not None else ():
            attributes = {name: value or "" for name, value in node.attributes.items()}
            if node.tag == "meta":
                self._metas.append(attributes)
            elif node.tag == "base":
                base = base or resolve(url, attributes["href"])
            elif "canonical" in attributes["rel"].lower().split() and "href" in attributes:
                self._canonical.append(attributes["href"])
        self.base = base or url

    def robots(self, token: str) -> list[str]:
        """What is wished of crawlers in general and of that one."""
        return [meta.get("content", "") for meta in self._metas if meta.get("name", "").lower() in ("robots", token)]

    def refreshes(self) -> Iterator[str]:
        """Where the page leads by itself."""
        for meta in self._metas:
            refresh = meta.get("http-equiv", "").lower() == "refresh"
            match = _REFRESH.match(meta.get("content", "")) if refresh else None
            if match is not None and (url := resolve(self.base, match[1])) is not None:
                yield url

    def canonical(self) -> str | None:
        """The page's own name for itself."""
        return resolve(self.base, self._canonical[0]) if self._canonical else None


def _links(tree: Any, base: str, tags: bool) -> Iterator[str]:
    for node in tree.css("a[href]"):
        attributes = node.attributes
        if tags and (rel := attributes.get("rel")) and "nofollow" in rel.lower().split():
            continue
        if (url := resolve(base, attributes["href"] or "")) is not None:
            yield url


def _wishes(texts: list[str], reading: Reading) -> tuple[bool, bool]:
    """(may be indexed, links may be followed). A directive may be addressed to one crawler: `name: noindex`."""
    index = follow = True
    if not reading.tags:
        return index, follow
    for text in texts:
        addressee = ""
        for part in text.lower().split(","):
            name, colon, rest = part.partition(":")
            if colon and name.strip() not in _VALUED:
                addressee, part = name.strip(), rest
            if addressee not in ("", reading.token):
                continue
            words = _DIRECTIVE.split(part.strip())
            index = index and "noindex" not in words and "none" not in words
            follow = follow and "nofollow" not in words and "none" not in words
    return index, follow


def _recoded(content_type: str, charset: str) -> str:
    return content_type if charset == "utf-8" else with_charset(content_type, "utf-8")


def _declare_utf8(tree: Any) -> None:
    for node in tree.css("meta[charset]"):
        node.attrs["charset"] = "utf-8"
    for node in tree.css("meta[http-equiv]"):
        if (node.attributes["http-equiv"] or "").lower() == "content-type":
            node.attrs["content"] = "text/html; charset=utf-8"
