"""Addresses of pages in one normal form, so that a page has one name however it is linked.

Scheme and host are in lower case, default ports and fragments are gone, `.` and `..` are resolved, and what must be
escaped is escaped, as browsers do it. The order of a query and a trailing slash are significant: servers may tell them
apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

MAX_LENGTH = 4096
"""Longer addresses come from loops in a site's links rather than from people."""

_SHAPE = re.compile(r"(?i)(https?):[/\\]{2,}([^/\\?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_\-~!$&'()*+,;=:@]+(?:\.[A-Za-z0-9_\-~!$&'()*+,;=:@]+)*)*/?")
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9._\-~!$&()*+,;=:@/?\[\]]*")
_BLANKS = re.compile(r"[\t\r\n]")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*|\[[0-9a-f:.]+\]")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_PATH_SAFE = "/%:@!$&'()*+,;=~-._[]"
_QUERY_SAFE = _PATH_SAFE + "?"


@dataclass(frozen=True, slots=True)
class Address:
    """An address in its parts. `host` is a name or an IP address without brackets; `port` is None for the default."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: str

    @property
    def site(self) -> str:
        """`host` or `host:port`: what is visited one request at a time."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port is None else f"{name}:{self.port}"

    @property
    def origin(self) -> str:
        """`scheme://host:port`: what a robots.txt speaks for."""
        return f"{self.scheme}://{self.site}"

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def decoded_path(self) -> str:
        """The path without escapes."""
        return unquote(self.path)

    def __str__(self) -> str:
        return self.origin + self.target


@lru_cache(maxsize=16_384)
def parse(text: str) -> Address | None:
    """The address that an absolute http or https URL names, or None."""
    match = _SHAPE.fullmatch(_BLANKS.sub("", text.strip()))
    if match is None or len(text) > MAX_LENGTH:
        return None
    scheme, place, path, query = match[1].lower(), match[2], match[3], match[4]
    name, port = _host_and_port(place)
    if name is None or port == "0" or int(port or 1) > 65535:
        return None
    number = None if port in ("", _DEFAULT_PORTS[scheme]) else int(port)
    return Address(scheme, name, number, _path(path), _query(query[1:] if query else ""))


@lru_cache(maxsize=65_536)
def resolve(base: str, reference: str) -> str | None:
    """The address that a link on the page `base` leads to, in normal form; None where no page can be."""
    reference = _BLANKS.sub("", reference.strip())
    if _SCHEME.match(reference):
        address = parse(reference)
        return None if address is None else str(address)
    page = parse(base)
    if page is None or len(reference) > MAX_LENGTH:
        return None
    if reference[:2] in ("//", "\\\\", "/\\", "\\/"):
        address = parse(f"{page.scheme}:{reference}")
        return None if address is None else str(address)
    return _relative(page, reference.partition("#")[0])


def normal(text: str) -> str | None:
    """The normal form of an absolute URL, or None."""
    address = parse(text)
    return None if address is None else str(address)


def _relative(page: Address, reference: str) -> str:
    path, mark, query = reference.partition("?")
    query = _query(query)
    if not path:
        return page.origin + page.path + (f"?{query}" if query else "" if mark else _question(page.query))
    if path[0] not in "/\\":
        path = page.path.rpartition("/")[0] + "/" + path
    return page.origin + _path(path) + _question(query)


def _question(query: str) -> str:
    return f"?{query}" if query else ""


def _host_and_port(place: str) -> tuple[str | None, str]:
    name, _, port = place.rpartition(":") if re.search(r":\d*$", place) and not place.endswith("]") else (place, "", "")
    if "@" in name:  # credentials do not belong into links
        return None, ""
    name = unquote(name).lower().removesuffix(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return None, ""
    if not _HOST.fullmatch(name):
        return None, ""
    return name.strip("[]"), port.lstrip("0") or ("0" if port else "")


def _path(path: str) -> str:
    if _PLAIN_PATH.fullmatch(path):
        return path or "/"
    path = _escaped(path.replace("\\", "/"), _PATH_SAFE).replace("%2E", ".").replace("%7E", "~")
    kept: list[str] = []
    segments = path.split("/")[1:] or [""]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _query(query: str) -> str:
    return query if _PLAIN_QUERY.fullmatch(query) else _escaped(query, _QUERY_SAFE)


def _escaped(text: str, safe: str) -> str:
    text = _STRAY_PERCENT.sub("%25", text)
    return _ESCAPE.sub(lambda match: match[0].upper(), quote(text, safe=safe, errors="replace"))
