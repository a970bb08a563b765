"""Declared types, dates and JSON forms: what the rows of facts leave open."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.expressions import ExpressionError, SchemaType, coerce
from langstream.expressions.dates import EPOCH, NanoInstant, instant_of, nanos_of
from langstream.expressions.documents import json_form, json_text
from langstream.expressions.text import float_text, text_form
from langstream.records import AvroValue

ODD = NanoInstant.of(datetime(2024, 1, 2, 3, 4, 5, 6, UTC), 7)


def kind_of_failure(value: Any, target: SchemaType) -> str:
    with pytest.raises(ExpressionError) as failed:
        coerce(value, target)
    return failed.value.kind


@pytest.mark.parametrize("target", SchemaType)
def test_null_stays_null(target: SchemaType) -> None:
    assert coerce(None, target) is None


@pytest.mark.parametrize(
    ("value", "target", "expected"),
    [
        ({"a": [1, None]}, SchemaType.STRING, "{a=[1, null]}"),
        (b"abc", SchemaType.STRING, "abc"),
        (AvroValue({}, {"a": 1}), SchemaType.STRING, '{"a":1}'),
        (Decimal("1.50"), SchemaType.STRING, "1.50"),
        ("2147483648", SchemaType.INT32, 2**31 - 1),
        (float("nan"), SchemaType.INT32, 0),
        (float("-inf"), SchemaType.INT64, -(2**63)),
        (Decimal("1e999999"), SchemaType.INT64, 2**63 - 1),
        (date(2024, 1, 2), SchemaType.INT32, 19724),
        (time(10, 15, 30), SchemaType.INT32, 36930000),
        (datetime(2024, 1, 2, 3, 4, 5, 678000, UTC), SchemaType.INT64, 1704164645678),
        (datetime(1970, 1, 1, 0, 0, 1), SchemaType.INT64, 1000),  # noqa: DTZ001
        (300, SchemaType.INT8, 44),
        (1.1, SchemaType.FLOAT, 1.1),
        (16777217, SchemaType.FLOAT, 16777216.0),
        (1e300, SchemaType.FLOAT, float("inf")),
        (10**400, SchemaType.DOUBLE, float("inf")),
        ("1.50", SchemaType.DECIMAL, Decimal("1.50")),
        (b"\0", SchemaType.BOOLEAN, False),
        (b"\0\0\0\5", SchemaType.INT32, 5),
        (b"\xff", SchemaType.INT8, -1),
        (b"\x3f\x80\0\0", SchemaType.FLOAT, 1.0),
        (19724, SchemaType.LOCAL_DATE, date(2024, 1, 2)),
        ("2024-01-02T03:04:05.5-01:00", SchemaType.DATETIME, datetime(2024, 1, 2, 4, 4, 5, 500000, UTC)),
        ("2024-01-02T03:04Z", SchemaType.TIMESTAMP, datetime(2024, 1, 2, 3, 4, tzinfo=UTC)),
        (datetime(2024, 1, 2, 3), SchemaType.INSTANT, datetime(2024, 1, 2, 3, tzinfo=UTC)),  # noqa: DTZ001
        (date(2024, 1, 2), SchemaType.LOCAL_TIME, time()),
        ([1], SchemaType.ARRAY, [1]),
        ("", SchemaType.ARRAY, None),
        ({"a": 1}, SchemaType.MAP, {"a": 1}),
    ],
)
def test_values_become_the_declared_type(value: Any, target: SchemaType, expected: Any) -> None:
    outcome = coerce(value, target)
    assert outcome == expected
    assert type(outcome) is type(expected)


@pytest.mark.parametrize(
    ("value", "target", "kind"),
    [
        (ODD, SchemaType.INT32, "cannot-convert"),
        (True, SchemaType.INT64, "cannot-convert"),
        ([], SchemaType.DOUBLE, "cannot-convert"),
        (time(1), SchemaType.INSTANT, "cannot-convert"),
        (time(1), SchemaType.FLOAT, "cannot-convert"),
        (10**20, SchemaType.BYTES, "cannot-convert"),
        (Decimal(1), SchemaType.BYTES, "cannot-convert"),
        ("2024-13-01", SchemaType.LOCAL_DATE, "bad-date"),
        ("2024-02-30", SchemaType.INSTANT, "bad-date"),
        ("25:00", SchemaType.LOCAL_TIME, "bad-date"),
        ("2024-01-01T00:00:00+19:00", SchemaType.INSTANT, "bad-date"),
        ("0001-01-01T00:00:00+10:00", SchemaType.INSTANT, "bad-date"),
        ("", SchemaType.INSTANT, "bad-date"),
        ("1704164645000", SchemaType.INSTANT, "bad-date"),
        (10**18, SchemaType.INSTANT, "bad-date"),
        (1e300, SchemaType.INSTANT, "bad-date"),
        (b"12", SchemaType.INT32, "bad-bytes"),
        (b"12", SchemaType.INSTANT, "bad-bytes"),
        (b"12", SchemaType.BOOLEAN, "bad-bytes"),
        ("x", SchemaType.MAP, "cannot-convert"),
        ("x", SchemaType.AVRO, "cannot-convert"),
        ("NaN", SchemaType.DECIMAL, "not-a-number"),
        (float("inf"), SchemaType.DECIMAL, "cannot-convert"),
        ("1_000", SchemaType.INT32, "cannot-convert"),
        ("١", SchemaType.INT32, "cannot-convert"),
    ],
)
def test_values_that_cannot_become_the_type_are_refused(value: Any, target: SchemaType, kind: str) -> None:
    assert kind_of_failure(value, target) == kind


INSTANTS = st.integers(-62135596800 * 10**9, 253402300799 * 10**9)


@given(INSTANTS)
def test_instants_are_exact_to_the_nanosecond(nanos: int) -> None:
    instant = instant_of(nanos)
    assert nanos_of(instant) == nanos
    assert nanos_of(coerce(text_form(instant), SchemaType.INSTANT)) == nanos
    assert nanos_of(coerce(coerce(instant, SchemaType.BYTES), SchemaType.INSTANT)) == nanos


@given(INSTANTS, st.integers(-2000, 2000))
def test_instants_are_ordered_to_the_nanosecond(nanos: int, difference: int) -> None:
    left, right = instant_of(nanos), instant_of(max(nanos + difference, -62135596800 * 10**9))
    assert (left < right) is (nanos_of(left) < nanos_of(right))
    assert (left <= right) is (nanos_of(left) <= nanos_of(right))
    assert (left == right) is (nanos_of(left) == nanos_of(right))
    assert (left >= right) is (nanos_of(left) >= nanos_of(right))
    assert left != right or hash(left) == hash(right)


@given(st.sampled_from([SchemaType.LOCAL_DATE_TIME, SchemaType.LOCAL_TIME, SchemaType.LOCAL_DATE]), st.datetimes())
def test_local_dates_and_times_survive_text_and_bytes(target: SchemaType, moment: datetime) -> None:
    value = coerce(moment, target)
    assert coerce(text_form(value), target) == value
    assert coerce(coerce(value, SchemaType.BYTES), target) == value


@given(
    st.one_of(
        st.integers(-(2**63), 2**63 - 1).map(lambda n: (n, SchemaType.INT64)),
        st.floats(allow_nan=False).map(lambda x: (x, SchemaType.DOUBLE)),
    )
)
def test_numbers_survive_bytes(pair: tuple[int | float, SchemaType]) -> None:
    number, target = pair
    assert coerce(coerce(number, SchemaType.BYTES), target) == number


@given(st.floats(allow_nan=False))
def test_the_text_of_a_double_is_the_double(number: float) -> None:
    assert float(float_text(number)) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1.0"),
        (1e7, "1.0E7"),
        (9999999.0, "9999999.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (-1.25e-7, "-1.25E-7"),
        (1e10, "1.0E10"),
        (123456789.0, "1.23456789E8"),
        (-0.0, "-0.0"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_doubles_are_written_as_the_original_does(number: float, text: str) -> None:
    assert float_text(number) == text


def test_offsets_other_than_utc_are_the_same_instant() -> None:
    there = datetime(2024, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    assert text_form(there) == "2024-01-02T01:00:00Z"
    assert coerce(there, SchemaType.LOCAL_TIME) == time(1)


# --- JSON forms


def test_dates_become_numbers_at_every_depth() -> None:
    value = {"at": ODD, "l": [date(2024, 1, 2), time(0, 0, 1)], "m": {"b": b"abc", "s": (1, EPOCH)}}
    form = {"at": 1704164645000, "l": [19724, 1000], "m": {"b": "YWJj", "s": [1, 0]}}
    assert json_form(value) == form
    assert json_text(value) == json_text(form)


def test_what_needs_no_change_stays_the_same_object() -> None:
    value = {"a": [1, "x", None, {"b": True}], "d": 1.5}
    assert json_form(value) is value


def test_the_original_is_not_changed() -> None:
    inner = [EPOCH]
    json_form({"l": inner})
    assert inner == [EPOCH]


def test_avro_values_become_their_data() -> None:
    assert json_form({"r": AvroValue({}, {"day": date(1970, 1, 2)})}) == {"r": {"day": 1}}


def test_numbers_beyond_64_bits_can_be_written() -> None:
    assert json_text({"n": 10**20, "d": Decimal("1.5"), "at": EPOCH}) == '{"n":100000000000000000000,"d":1.5,"at":0}'


def test_lambdas_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        json_text([len])
