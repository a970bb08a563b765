"""Values into columns by their type, and out of rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from cassandra.cqltypes import lookup_casstype
from hypothesis import given
from hypothesis import strategies as st

from langstream.errors import RecordError
from langstream.services.stores.cassandra.values import into, out_of

ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
VECTOR = "org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.FloatType, 3)"


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("Int32Type", "1", 1),
        ("Int32Type", 2.0, 2),
        ("LongType", Decimal(7), 7),
        ("DoubleType", "1.5", 1.5),
        ("DecimalType", 1.1, Decimal("1.1")),
        ("BooleanType", "TRUE", True),
        ("BooleanType", False, False),
        ("UTF8Type", 12, "12"),
        ("UTF8Type", {"a": [1]}, '{"a":[1]}'),
        ("UUIDType", ID, UUID(ID)),
        ("TimestampType", 0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("TimestampType", "1000", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("TimestampType", "2024-02-29T12:00:00Z", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("SimpleDateType", "2024-02-29", date(2024, 2, 29)),
        ("SimpleDateType", 0, date(1970, 1, 1)),
        ("TimeType", "12:30:00", time(12, 30)),
        ("BytesType", "aGk=", b"hi"),
        ("BytesType", b"raw", b"raw"),
        ("ListType(Int32Type)", ["1", 2], [1, 2]),
        ("ListType(Int32Type)", "[1, 2]", [1, 2]),
        ("SetType(UTF8Type)", ["a", "b", "a"], {"a", "b"}),
        ("MapType(UTF8Type, Int32Type)", {"a": "1"}, {"a": 1}),
        ("MapType(Int32Type, UTF8Type)", {"1": "a"}, {1: "a"}),
        ("TupleType(Int32Type, UTF8Type)", ["1", 2], (1, "2")),
        ("ListType(FrozenType(ListType(Int32Type)))", [["1"], [2]], [[1], [2]]),
        (VECTOR, [1, "2", 3.5], [1.0, 2.0, 3.5]),
        (VECTOR, "[1, 2, 3]", [1.0, 2.0, 3.0]),
        (VECTOR, {"values": [1, 2, 3]}, [1.0, 2.0, 3.0]),
        ("Int32Type", None, None),
    ],
)
def test_a_value_becomes_what_its_column_wants(kind: str, value: Any, wanted: Any) -> None:
    found = into(value, lookup_casstype(kind), "column c")
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("Int32Type", "many", "column of type int"),
        ("Int32Type", 1.5, "no whole number"),
        ("BooleanType", "yes", "only true and false"),
        ("UUIDType", "x", "UUID"),
        ("ListType(Int32Type)", 3, "no list"),
        ("MapType(UTF8Type, UTF8Type)", [1], "no object"),
        (VECTOR, [1, 2], "it has 2 numbers, the column 3"),
        ("BytesType", "not base64!", "column of type blob"),
    ],
)
def test_what_does_not_fit_is_the_records_failure_and_names_the_column(kind: str, value: Any, reason: str) -> None:
    with pytest.raises(RecordError, match=reason) as caught:
        into(value, lookup_casstype(kind), "column c")
    assert str(caught.value).startswith("column c: ")


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3))
def test_vectors_come_out_as_they_went_in(numbers: list[float]) -> None:
    kind = lookup_casstype(VECTOR)
    assert out_of(into(numbers, kind, "v"), kind) == {"values": numbers}


def test_rows_hold_what_json_can() -> None:
    moment = datetime(2024, 1, 1)  # noqa: DTZ001 — as the driver gives it
    assert out_of(UUID(ID)) == ID
    assert out_of(moment) == moment.replace(tzinfo=UTC)
    assert out_of(Decimal("1.5")) == 1.5
    assert out_of({"a": {1, 2}, 3: (Decimal(4), None)}) == {"a": [1, 2], "3": [4, None]}
