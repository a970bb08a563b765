"""Vectors on their way into PostgreSQL: packed as soon as they are known, judged when they are sent."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.services.stores.jdbc.postgres_values import PackedVector, early_vector, packed_vector, unpacked_vector


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=40))
def test_a_vector_packed_early_is_sent_as_one_packed_late(numbers: list[float]) -> None:
    early = early_vector(numbers)
    assert type(early) is PackedVector
    assert packed_vector(early) is early
    assert early == packed_vector(numbers)
    assert unpacked_vector(early) == numbers


@pytest.mark.parametrize("value", [["no number"], [1, None], [[1.0]], [1e300], [0] * 70_000])
def test_what_is_no_vector_stays_as_it_is_until_it_is_sent(value: Any) -> None:
    assert early_vector(value) is value
    with pytest.raises((TypeError, ValueError, OverflowError, struct.error)):
        packed_vector(early_vector(value))


@pytest.mark.parametrize("value", [None, "[1, 2]", b"\0\1\0\0\0\0\0\0"])
def test_only_lists_are_packed_early(value: Any) -> None:
    assert early_vector(value) is value
