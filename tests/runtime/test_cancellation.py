"""Cancellations: how they travel, which records they are about, and how long they are remembered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.records import SimpleRecord
from langstream.runtime.cancellation import Cancellation, Cancellations, read_cancellation

ANSWERS = frozenset({"answers"})
PAIRS = st.frozensets(st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "2"])))


def cancellation(before: int = 100, answers: str = "answers", **headers: str) -> Cancellation:
    return Cancellation(answers, frozenset(headers.items()), before)


def record(timestamp: int | None = 100, **headers: Any) -> SimpleRecord:
    return SimpleRecord("x", headers=tuple(headers.items()), timestamp=timestamp)


def known(*cancellations: Cancellation) -> Cancellations:
    memory = Cancellations()
    for each in cancellations:
        assert memory.add(each)
    return memory


# --- on the way ---


def test_one_without_headers_would_be_about_everything_and_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="needs headers"):
        Cancellation("answers", frozenset(), 1)


def test_one_that_wants_two_texts_of_a_header_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="each of them once"):
        Cancellation("answers", frozenset({("a", "1"), ("a", "2")}), 1)


@given(st.text(), st.dictionaries(st.text(), st.text(), min_size=1), st.integers(-(2**60), 2**60))
def test_what_was_announced_is_read(answers: str, headers: dict[str, str], before: int) -> None:
    one = Cancellation(answers, frozenset(headers.items()), before)
    assert read_cancellation(SimpleRecord(one.record().value())) == one


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "{",
        "[]",
        "{}",
        '{"answers": "a", "headers": {}, "before": 1}',
        '{"answers": "a", "before": 1}',
        '{"answers": "a", "headers": {"s": 1}, "before": 1}',
        '{"answers": "a", "headers": {"s": "1"}, "before": "1"}',
        '{"answers": "a", "headers": {"s": "1"}, "before": true}',
        '{"answers": null, "headers": {"s": "1"}, "before": 1}',
        b"\xff",
    ],
)
def test_anything_else_is_none(value: Any) -> None:
    assert read_cancellation(SimpleRecord(value)) is None


# --- which records ---


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (record(session="1"), True),
        (record(session="1", other="x"), True),
        (record(session=b"1"), True),
        (record(99, session="1"), True),
        (record(101, session="1"), False),
        (record(None, session="1"), False),
        (record(session="2"), False),
        (record(session=None), False),
        (record(other="1"), False),
        (record(), False),
        (SimpleRecord("x", headers=(("session", "2"), ("session", "1")), timestamp=1), False),
    ],
)
def test_it_is_about_records_with_its_headers_that_are_not_younger(found: SimpleRecord, expected: bool) -> None:
    assert known(cancellation(session="1")).cover(found, ANSWERS) is expected


def test_a_record_needs_all_of_its_headers() -> None:
    memory = known(cancellation(session="1", user="u"))
    assert memory.cover(record(user="u", session="1"), ANSWERS)
    assert not memory.cover(record(session="1"), ANSWERS)
    assert not memory.cover(record(user="u"), ANSWERS)


def test_it_is_about_records_on_their_way_to_the_same_answers() -> None:
    memory = known(cancellation(answers="others", session="1"))
    assert not memory.cover(record(session="1"), ANSWERS)
    assert memory.cover(record(session="1"), frozenset({"answers", "others"}))


@given(st.lists(st.tuples(PAIRS.filter(lambda p: bool(p) and len(dict(p)) == len(p)), st.integers(0, 9))), PAIRS)
def test_looking_up_is_the_same_as_looking_through(announced: list[Any], pairs: frozenset[tuple[str, str]]) -> None:
    memory = known(*(Cancellation("answers", headers, before) for headers, before in announced))
    headers = dict(sorted(pairs))
    found = SimpleRecord("x", headers=tuple(headers.items()), timestamp=5)
    expected = any(wanted <= frozenset(headers.items()) and before >= 5 for wanted, before in announced)
    assert memory.cover(found, ANSWERS) is expected


# --- memory ---


def test_the_latest_moment_of_the_same_headers_counts() -> None:
    memory = known(cancellation(100, session="1"), cancellation(50, session="1"))
    assert len(memory) == 1
    assert memory.cover(record(100, session="1"), ANSWERS)


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    memory = Cancellations(most=2)
    for number in "123":
        memory.add(cancellation(session=number))
    assert len(memory) == 2
    assert [memory.cover(record(session=number), ANSWERS) for number in "123"] == [False, True, True]


def test_those_announced_too_long_ago_are_forgotten() -> None:
    now = 1000.0
    memory = Cancellations(seconds=10, clock=lambda: now)
    assert not memory.add(cancellation(session="0"), 989)
    assert memory.add(cancellation(session="1"), 991)
    now = 1002.0
    memory.add(cancellation(session="2"))
    assert [memory.cover(record(session=number), ANSWERS) for number in "012"] == [False, False, True]


def test_a_quarter_of_an_hour_is_remembered_at_least() -> None:
    now = 0.0
    memory = Cancellations(clock=lambda: now)
    memory.add(cancellation(session="1"))
    now = 15 * 60.0
    memory.add(cancellation(session="2"))
    assert memory.cover(record(session="1"), ANSWERS)
