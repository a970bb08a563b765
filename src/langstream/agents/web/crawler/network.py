"""Where the crawler may connect to: public addresses, and private ones only where the application names them.

The check is made on the very addresses that are connected to, after the name was resolved, so neither a redirect nor a
name that changes its mind (DNS rebinding) leads inside. A host that was public once is never followed to a private
address, even if the application names it. Proxies are not used: what they connect to could not be checked.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
_NOBODYS = tuple(map(ipaddress.ip_network, ("192.88.99.0/24", "fec0::/10", "3fff::/20", "5f00::/16")))
"""Of no use on the Internet, which not every version of `ipaddress` knows: old relays and sites, documentation."""
_LIKE_AN_ADDRESS = re.compile(r"[0-9.]+|.*:.*")


class RefusedAddress(OSError):
    """The host has only addresses that the crawler may not visit."""


def is_public(text: str) -> bool:
    """Whether an IP address belongs to the public Internet, whatever it is wrapped in."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    if any(address.version == network.version and address in network for network in _NOBODYS):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class Guard:
    """Decides about addresses. `named` are the hosts that may be private."""

    def __init__(self, named: Iterable[str], allow_private: bool = False) -> None:
        self._named = frozenset(named)
        self._allow_private = allow_private
        self._public: set[str] = set()

    def check_literal(self, host: str) -> None:
        """Refuse a host that is itself a private IP address; names are checked when they are resolved.

        Numbers that are no address in its usual form (`127.1`, `2130706433`) are refused: a system might resolve them.
        """
        try:
            public = is_public(host)
        except ValueError:
            if _LIKE_AN_ADDRESS.fullmatch(host):
                raise RefusedAddress(f"{host} is neither a name nor an IP address in its usual form") from None
            return
        if not public and not self._allow_private and host not in self._named:
            raise RefusedAddress(_refusal(host, [host]))

    def permitted(self, host: str, addresses: Iterable[str]) -> frozenset[str]:
        """Those of a host's addresses that may be connected to."""
        all_of_them = frozenset(addresses)
        if self._allow_private:
            return all_of_them
        public = frozenset(address for address in all_of_them if is_public(address))
        if public:
            self._public.add(host)
            return public
        if host in self._named and host not in self._public:
            return all_of_them
        raise RefusedAddress(_refusal(host, all_of_them))


class GuardedResolver(AbstractResolver):
    """Resolves names and hands on permitted addresses only."""

    def __init__(self, guard: Guard, resolver: AbstractResolver) -> None:
        self._guard = guard
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The permitted addresses of the host."""
        found = await self._resolver.resolve(host, port, family)
        permitted = self._guard.permitted(host.lower().removesuffix("."), [entry["host"] for entry in found])
        return [entry for entry in found if entry["host"] in permitted]

    async def close(self) -> None:
        """Close the resolver underneath."""
        await self._resolver.close()


def _refusal(host: str, addresses: Iterable[Any]) -> str:
    return (
        f"{host} is at {', '.join(sorted(map(str, addresses)))}, which is not a public address. Name the host in "
        "seed-urls or allowed-domains, or set allow-private-addresses, if it is meant to be crawled"
    )
