"""Private addresses are out of bounds unless they are named, whatever they are wrapped in."""

from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from langstream.agents.web.crawler.addresses import normal
from langstream.agents.web.crawler.fetching import Fetcher, FetchFailed, open_session, retry_after
from langstream.agents.web.crawler.network import Guard, GuardedResolver, RefusedAddress, is_public
from tests.agents.web.crawler.sites import Crawler, Site, keys, redirect


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
     "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::", "64:ff9b:1::7f00:1", "64:ff9b::a9fe:a9fe", "2001:0:7f00:1::",
     "::127.0.0.1", "::ffff:0:127.0.0.1", "fec0::1", "fd00:ec2::254", "3fff::1", "5f00::1", "192.88.99.1",
     "2001:db8::1", "198.18.0.1"],
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


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "017700000001", "127.000.000.001", "0", "1:2", "fe80::1%eth0:"]
)
def test_numbers_that_are_no_usual_address_are_refused(host: str) -> None:
    with pytest.raises(RefusedAddress):
        Guard([]).check_literal(host)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "127.1", "0x7f000001", "017700000001", "127.0.0.1", "127.0.0.1.", "[::ffff:127.0.0.1]",
     "[::ffff:7f00:1]", "[::1]", "localhost", "0", "127\u30020\u30020\u30021"],
)  # fmt: skip
async def test_no_way_of_writing_the_own_machine_gets_through(host: str, site: Site) -> None:
    site.pages["/"] = "inside"
    guard = Guard([])
    session = await open_session("x", 5, False, guard, 2)
    try:
        address = normal(f"http://{host}:{site.port}/")
        assert address is not None
        with pytest.raises(FetchFailed):
            await Fetcher(session, guard, 1000).get(address)
    finally:
        await session.close()
    assert site.requests == []


async def test_proxies_of_the_environment_are_not_used(
    site: Site, other: Site, crawler: Crawler, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, other.url)
    site.pages["/"] = "x"
    assert keys(await crawler.crawl(site), site) == ["/"]
    assert other.requests == []


@pytest.mark.parametrize("way", ["named", "redirected", "in an index"])
async def test_no_sitemap_leads_into_the_private_network(way: str, site: Site, crawler: Crawler) -> None:
    inside = f"http://127.0.0.2:{site.port}/inside.xml"
    index = f"<sitemapindex><sitemap><loc>{inside}</loc></sitemap></sitemapindex>"
    site.pages |= {
        "/robots.txt": f"Sitemap: {inside if way == 'named' else site.url + '/map.xml'}",
        "/map.xml": redirect(inside) if way == "redirected" else index,
        "/inside.xml": f"{site.url}/found",
        "/": "x",
    }
    options = {"allowed_domains": [site.url, "*.0.0.2"]}
    assert keys(await crawler.crawl(site, **options), site) == ["/"]
    assert site.count("/inside.xml") == 0


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
