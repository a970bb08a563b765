"""Filters and their index."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.gateway.filters import Filter, FilterIndex

Names = st.sampled_from(["a", "b", "c"])
Texts = st.sampled_from(["1", "2"])
Headers = st.lists(st.tuples(Names, st.one_of(Texts, st.none(), st.just(b"1"), st.just(2))), max_size=5)
Filters = st.lists(st.tuples(Names, st.one_of(Texts, Texts, Texts, st.none())), max_size=3)


@pytest.mark.parametrize(
    ("pairs", "headers", "passes"),
    [
        ([], [], True),
        ([("a", "1")], [("a", "1"), ("b", "2")], True),
        ([("a", "1")], [("A", "1")], False),
        ([("a", "1")], [], False),
        ([("a", "1"), ("b", "2")], [("a", "1")], False),
        ([("a", "1")], [("a", "2"), ("a", "1")], False),
        ([("a", "1")], [("a", None)], False),
        ([("a", "1")], [("a", b"1")], True),
        ([("a", "1")], [("a", 1)], True),
        ([("a", None)], [("a", None)], False),
        ([("a", "1"), ("a", "2")], [("a", "1"), ("a", "2")], False),
        ([("a", "1"), ("a", "1")], [("a", "1")], True),
    ],
)
def test_a_record_passes_when_the_first_header_of_every_name_is_as_expected(
    pairs: list[tuple[str, str | None]], headers: list[tuple[str, Any]], passes: bool
) -> None:
    assert Filter(pairs).passes(headers) is passes


@given(st.lists(Filters, max_size=8), st.lists(Headers, max_size=5), st.sets(st.integers(0, 7)))
def test_the_index_finds_exactly_those_whose_filter_passes(
    filters: list[list[tuple[str, str | None]]], records: list[list[tuple[str, Any]]], leaving: set[int]
) -> None:
    index: FilterIndex[int] = FilterIndex()
    for number, pairs in enumerate(filters):
        index.add(number, Filter(pairs))
    for number in leaving:
        index.remove(number)
    for headers in records:
        expected = [n for n, pairs in enumerate(filters) if n not in leaving and Filter(pairs).passes(headers)]
        assert sorted(index.matching(headers)) == expected


def test_sessions_are_filed_under_their_rarest_header() -> None:
    index: FilterIndex[int] = FilterIndex()
    for number in range(100):
        index.add(number, Filter([("class", "vip"), ("user", str(number))]))
    assert max(len(bucket) for bucket in index._buckets.values()) == 1


def test_nothing_is_left_when_everyone_is_gone() -> None:
    index: FilterIndex[int] = FilterIndex()
    index.add(1, Filter([("a", "1")]))
    index.add(2, Filter())
    index.add(3, Filter([("a", None)]))
    for number in (1, 2, 3, 3):
        index.remove(number)
    assert (len(index), index._buckets, index._everything) == (0, {}, {})
