"""Which addresses belong to the crawl: `allowed-domains`, `forbidden-paths`.

An entry of `allowed-domains` is a host (`example.com`, any scheme and port), a host with port, a host with all below
it (`*.example.com`), or an address: then scheme, host and port must be equal and the path must begin with that of the
entry, segment by segment. A page behind https is allowed where the entry says http for the same host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from langstream.agents.web.crawler.addresses import Address, parse

_HOST_ENTRY = re.compile(r"(\*\.)?([^/?#\s]+)(/[^?#\s]*)?")


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of `allowed-domains`."""

    host: str
    path: str
    scheme: str | None = None
    port: int | None = None
    any_port: bool = False
    subdomains: bool = False

    def admits(self, address: Address) -> bool:
        """Whether the address lies inside."""
        if address.host != self.host and not (self.subdomains and address.host.endswith(f".{self.host}")):
            return False
        if not self.any_port and address.port != self.port:
            return False
        if self.scheme is not None and address.scheme != self.scheme and self.scheme != "http":
            return False
        return _below(address.path, self.path)


def parse_place(entry: str) -> Place | None:
    """The place that an entry means, or None if it means none."""
    if "://" in entry:
        address = parse(entry)
        if address is None:
            return None
        return Place(address.host, address.path, address.scheme, address.port)
    match = _HOST_ENTRY.fullmatch(entry)
    if match is None:
        return None
    address = parse(f"http://{match[2]}{match[3] or '/'}")
    if address is None:
        return None
    has_port = bool(re.search(r"[^:]:\d+$|\]:\d+$", match[2]))
    return Place(address.host, address.path, None, address.port, not has_port, match[1] is not None)


class Scope:
    """The addresses that may be visited."""

    def __init__(self, allowed: Iterable[str], forbidden: Iterable[str] = ()) -> None:
        self._places = tuple(place for entry in allowed if (place := parse_place(entry)) is not None)
        self._forbidden = tuple(path if path.startswith("/") else f"/{path}" for path in forbidden if path)

    def admits(self, url: str) -> bool:
        """Whether the crawl may go there."""
        address = parse(url)
        if address is None or not any(place.admits(address) for place in self._places):
            return False
        return not self._forbidden or not address.decoded_path.startswith(self._forbidden)

    def named_hosts(self) -> frozenset[str]:
        """Hosts that are named in full."""
        return frozenset(place.host for place in self._places if not place.subdomains)


def _below(path: str, folder: str) -> bool:
    """`/docs` and `/docs/` hold `/docs`, `/docs/` and `/docs/a`, but not `/docs-old`."""
    folder = folder.rstrip("/")
    return path.startswith(folder) and (len(path) == len(folder) or path[len(folder)] == "/")
