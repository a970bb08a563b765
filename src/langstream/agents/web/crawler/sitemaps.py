"""Sitemaps: lists of pages and of further sitemaps, as XML, feeds or plain text, packed or not.

The XML is read as a stream, without entities of its own, up to limits of size and number: a hostile sitemap costs no
more than a large one.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from xml.parsers import expat  # entity declarations are refused below

MAX_BYTES = 50 * 1024 * 1024
"""Unpacked; the protocol's own limit."""
MAX_ENTRIES = 50_000
MAX_NAME = 4096


@dataclass(slots=True)
class Sitemap:
    """What a sitemap lists. `complete` is False where it broke off or was too large."""

    pages: list[str] = field(default_factory=list)
    sitemaps: list[str] = field(default_factory=list)
    complete: bool = True

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return len(self.pages) + len(self.sitemaps) >= MAX_ENTRIES


class _Enough(Exception):
    """The rest is not wanted."""


def read_sitemap(body: bytes) -> Sitemap:
    """The entries of a sitemap, of a sitemap index, an RSS or Atom feed, or a plain list of addresses."""
    sitemap = Sitemap()
    content = _unpacked(body, sitemap)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        _read_xml(content.lstrip(b" \t\r\n"), sitemap)
    else:
        lines = content.decode("utf-8-sig", "replace").split()
        sitemap.pages = [line for line in lines if line.startswith(("http://", "https://"))][:MAX_ENTRIES]
    return sitemap


def _unpacked(body: bytes, sitemap: Sitemap) -> bytes:
    parts: list[bytes] = []
    size = 0
    while body.startswith(b"\x1f\x8b") and size < MAX_BYTES:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            parts.append(unpacker.decompress(body, MAX_BYTES - size))
        except zlib.error:
            sitemap.complete = False
            break
        size += len(parts[-1])
        body = unpacker.unused_data
        if not unpacker.eof:
            sitemap.complete = False
            break
    if parts:
        return b"".join(parts)
    sitemap.complete = len(body) <= MAX_BYTES
    return body[:MAX_BYTES]


def _read_xml(content: bytes, sitemap: Sitemap) -> None:
    reader = _Reader(sitemap)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = reader.entity
    try:
        parser.Parse(content, True)
    except _Enough:
        sitemap.complete = False
    except expat.ExpatError:  # what was read so far counts
        sitemap.complete = False


class _Reader:
    """Collects addresses while the parser goes through the document."""

    def __init__(self, sitemap: Sitemap) -> None:
        self._sitemap = sitemap
        self._path: list[str] = []
        self._text: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if len(self._path) > 100:
            raise _Enough
        self._path.append(name.rpartition(" ")[2].lower())
        where = self._path[-2:]
        if where in (["url", "loc"], ["sitemap", "loc"], ["item", "link"]):
            self._text = []
        elif where == ["entry", "link"] and attributes.get("rel", "alternate") == "alternate":
            self._add(self._sitemap.pages, attributes.get("href", ""))

    def end(self, _: str) -> None:
        """An element ends."""
        if self._text is not None:
            target = self._sitemap.sitemaps if self._path[-2:-1] == ["sitemap"] else self._sitemap.pages
            self._add(target, "".join(self._text))
            self._text = None
        self._path.pop()

    def text(self, text: str) -> None:
        """Some text."""
        if self._text is not None and sum(map(len, self._text)) <= MAX_NAME:
            self._text.append(text)

    def entity(self, *_: object) -> None:
        """No sitemap needs entities of its own."""
        raise _Enough

    def _add(self, target: list[str], address: str) -> None:
        if address.strip():
            target.append(address.strip())
        if self._sitemap.full:
            raise _Enough
