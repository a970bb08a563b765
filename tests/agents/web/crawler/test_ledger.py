"""The frontier and what was delivered, as the file keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from langstream.agents.web.crawler.ledger import Delivered, Entry, Kind, Ledger, State

SITE = "domain"


def url(number: int | str) -> str:
    """A page."""
    return f"http://{SITE}/{number}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A file."""
    return tmp_path / "state" / "ledger"


@pytest.fixture
def ledger(place: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    ledger = Ledger(place)
    ledger.begin_crawl(1.0)
    yield ledger
    ledger.close()


def urls(ledger: Ledger) -> list[str]:
    """The pending addresses in order."""
    return [entry.url for entry in ledger.pending(SITE)]


def entry_of(ledger: Ledger, address: str) -> Entry:
    """A pending address."""
    [entry] = [entry for entry in ledger.pending(SITE) if entry.url == address]
    return entry


def commit(ledger: Ledger, *addresses: str) -> None:
    """Commit pages."""
    ledger.commit([(entry_of(ledger, address), State.DONE, Delivered(b"d")) for address in addresses])


def test_an_address_is_entered_once_before_and_after_it_was_dealt_with(ledger: Ledger) -> None:
    assert ledger.add([url(1), url(1)], 0) == {SITE}
    assert ledger.add([url(1)], 0) == set()
    commit(ledger, url(1))
    assert ledger.add([url(1)], 0) == set()
    assert urls(ledger) == []


def test_no_more_than_so_many_pages_are_entered(place: Path) -> None:
    ledger = Ledger(place, max_urls=2)
    ledger.add([url(1), url(2), url(3)], 0)
    assert sorted(ledger.known()) == [url(1), url(2)]
    ledger.add(["http://domain/map.xml"], 0, Kind.SITEMAP, limited=False)
    assert len(ledger.known()) == 3
    ledger.close()


def test_what_turned_out_to_be_no_page_makes_room_for_one(place: Path) -> None:
    ledger = Ledger(place, max_urls=1)
    ledger.add([url(1)], 0)
    ledger.settle(entry_of(ledger, url(1)), State.REDIRECT, [url(2)], 1)
    ledger.add([url(3)], 0)
    assert ledger.known() == {url(1): (State.REDIRECT, 0), url(2): (State.PENDING, 1)}
    assert urls(ledger) == [url(2)]
    ledger.close()
    again = Ledger(place, max_urls=1)
    again.add([url(3)], 0)
    assert url(3) not in again.known()
    again.close()


def test_a_shorter_way_lessens_the_depth_and_a_longer_one_does_not(ledger: Ledger) -> None:
    ledger.add([url(1)], 2)
    ledger.add([url(1)], 1)
    ledger.add([url(1)], 5)
    assert ledger.known() == {url(1): (State.PENDING, 1)}
    assert urls(ledger) == [url(1)]


def test_what_was_taken_and_not_committed_is_pending_after_a_restart(place: Path, ledger: Ledger) -> None:
    ledger.add([url(1), url(2)], 0)
    assert urls(ledger)[0] == url(1)
    ledger.close()
    again = Ledger(place)
    assert urls(again) == [url(1), url(2)]
    commit(again, url(1))
    again.close()
    third = Ledger(place)
    assert urls(third) == [url(2)]
    third.close()


def test_a_failed_transaction_leaves_nothing_behind(ledger: Ledger) -> None:
    def broken() -> Iterator[str]:
        yield url(1)
        raise OSError

    with pytest.raises(OSError):
        ledger.add(broken(), 0)
    assert ledger.known() == {}
    ledger.add([url(1)], 0)
    assert urls(ledger) == [url(1)]


def test_aliases_come_back_when_their_canonical_address_comes_to_nothing(ledger: Ledger) -> None:
    ledger.add([url("a")], 0)
    assert ledger.settle_alias(entry_of(ledger, url("a")), url("c"), [], 1) == {SITE}
    last = ledger.pending(SITE)[-1].id
    ledger.settle(entry_of(ledger, url("c")), State.GONE)
    [entry] = ledger.pending(SITE, after=last)
    assert (entry.url, entry.plain) == (url("a"), True)


def test_an_address_given_up_is_no_canonical_one(ledger: Ledger) -> None:
    ledger.add([url("a"), url("c")], 0)
    ledger.settle(entry_of(ledger, url("c")), State.GONE)
    assert ledger.settle_alias(entry_of(ledger, url("a")), url("c"), [], 1) is None


def test_what_was_delivered_outlives_the_crawl_and_what_was_not_reached_is_found(ledger: Ledger) -> None:
    ledger.add([url(1), url(2)], 0)
    page = Delivered(b"digest", '"tag"', "yesterday", (url(3), url("ü")))
    ledger.commit([(entry_of(ledger, url(1)), State.DONE, page), (entry_of(ledger, url(2)), State.DONE, page)])
    ledger.begin_crawl(2.0)
    assert ledger.known() == {}
    assert ledger.delivered(url(1)) == page
    ledger.add([url(1)], 0)
    assert ledger.enter_unreached() == {SITE}
    assert [(entry.url, entry.kind, entry.seen) for entry in ledger.pending(SITE)] == [
        (url(1), Kind.PAGE, True),
        (url(2), Kind.CHECK, True),
    ]


def test_crawls_are_numbered_and_timed(ledger: Ledger) -> None:
    ledger.end_crawl(5.0)
    ledger.begin_crawl(7.0)
    times = ledger.times()
    assert times is not None
    assert (times.number, times.began, times.ended) == (2, 7.0, None)


def test_numbers_tell_the_states(ledger: Ledger) -> None:
    ledger.add([url(1), url(2)], 0)
    commit(ledger, url(1))
    assert ledger.numbers() == {"pending": 1, "done": 1}


def test_repeating_the_commits_of_another_ledger_gives_the_same_state(ledger: Ledger, tmp_path: Path) -> None:
    ledger.add([url(1)], 0)
    settled = [(entry_of(ledger, url(1)), State.DONE, Delivered(b"d", None, None, (url(2), url(3))))]
    other = Ledger(tmp_path / "other")
    other.begin_crawl(1.0)
    other.replay(settled, lambda page, depth: [link for link in page.links if link != url(3)])
    assert other.known() == {url(1): (State.DONE, 0), url(2): (State.PENDING, 1)}
    assert other.delivered(url(1)) == settled[0][2]
    other.close()
