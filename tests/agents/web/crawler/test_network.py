"""Private addresses are out of bounds unless they are named, whatever they are wrapped in."""

from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from langstream.agents.web.crawler.fetching import retry_after
from langstream.agents.web.crawler.network import Guard, GuardedResolver, RefusedAddress, is_public


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
     "64:ff9b::7f00:1", "2002:7f00:1::"],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_literal_addresses_are_refused_unless_named() -> None:
    guard = Guard(["10.0.0.1"])
    guard.check_literal("10.0.0.1")
    guard.check_literal("93.184.216.34")
    guard.check_literal("a-name.example")
    with pytest.raises(RefusedAddress, match=r"10\.0\.0\.2 is at 10\.0\.0\.2, which is not a public address"):
        guard.check_literal("10.0.0.2")
    Guard([], allow_private=True).check_literal("10.0.0.2")


def test_only_public_addresses_of_a_name_are_used() -> None:
    assert Guard([]).permitted("h", ["10.0.0.1", "93.184.216.34"]) == {"93.184.216.34"}
    with pytest.raises(RefusedAddress):
        Guard([]).permitted("h", ["10.0.0.1", "::1"])


def test_a_named_host_may_be_private_but_not_become_it() -> None:
    guard = Guard(["h"])
    assert guard.permitted("h", ["10.0.0.1"]) == {"10.0.0.1"}
    assert guard.permitted("h", ["93.184.216.34"]) == {"93.184.216.34"}
    with pytest.raises(RefusedAddress):
        guard.permitted("h", ["127.0.0.1"])


class Names(AbstractResolver):
    """Resolves to given addresses, one after the other."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The next address."""
        address = self.addresses.pop(0)
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing."""


async def test_a_name_that_changes_its_mind_is_refused() -> None:
    resolver = GuardedResolver(Guard(["h"]), Names("93.184.216.34", "169.254.169.254"))
    [found] = await resolver.resolve("H.", 80)
    assert found["host"] == "93.184.216.34"
    with pytest.raises(RefusedAddress, match="allow-private-addresses"):
        await resolver.resolve("h", 80)
    await resolver.close()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert retry_after(text, 100.0) == seconds
