from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from langstream.errors import Problem, RecordError
from langstream.records import SimpleRecord

Result = Callable[..., SimpleRecord]
Outcome = Callable[..., Any]

CASTS: list[tuple[str, Any, Any]] = [
    ("STRING", 5, "5"),
    ("STRING", 1.5, "1.5"),
    ("STRING", True, "true"),
    ("STRING", b"plain", "plain"),
    ("STRING", '{"a": 1}', '{"a": 1}'),
    ("STRING", b'{"a": 1}', '{"a":1}'),
    ("STRING", {"a": 1}, '{"a":1}'),
    ("STRING", [1, 2], "[1,2]"),
    ("STRING", None, None),
    ("INT32", "42", 42),
    ("INT32", "4.9", 4),
    ("INT32", "", 0),
    ("INT64", "9007199254740993", 9007199254740993),
    ("BOOLEAN", "true", True),
    ("BOOLEAN", "TRUE", True),
    ("BOOLEAN", "1", False),
    ("BOOLEAN", "x", False),
    ("BYTES", "abc", b"abc"),
    ("INSTANT", "2024-01-02T03:04:05Z", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ("INSTANT", "2024-01-02", datetime(2024, 1, 2, tzinfo=UTC)),
    ("INSTANT", 5, datetime(1970, 1, 1, 0, 0, 0, 5000, tzinfo=UTC)),
    ("LOCAL_DATE", "2024-01-02", date(2024, 1, 2)),
    ("LOCAL_DATE", 19724, date(2024, 1, 2)),
]


@pytest.mark.parametrize(("target", "value", "expected"), CASTS)
def test_a_value_becomes_the_type(result: Result, target: str, value: Any, expected: Any) -> None:
    changed = result("cast", {"schema-type": target}, SimpleRecord(value)).value()
    assert changed == expected
    assert type(changed) is type(expected)


@pytest.mark.parametrize(
    ("target", "value"),
    [("INT32", "abc"), ("INT32", '{"a":1}'), ("INT64", "2024-01-01"), ("BYTES", '{"a":1}'), ("INSTANT", "soon")],
)
def test_what_cannot_become_it_fails_the_record(outcome: Outcome, target: str, value: Any) -> None:
    failure = outcome("cast", {"schema-type": target}, SimpleRecord(value))
    assert isinstance(failure, RecordError)
    assert f"the value cannot be cast to {target}" in str(failure)


@pytest.mark.parametrize(
    ("part", "key", "value"), [(None, "5", "5"), ("value", 5, "5"), ("key", "5", 5), ("other", 5, "5")]
)
def test_only_the_part_is_cast(result: Result, part: str | None, key: Any, value: Any) -> None:
    options = {"schema-type": "STRING"} | ({"part": part} if part else {})
    changed = result("cast", options, SimpleRecord(5, 5))
    assert (changed.key(), changed.value()) == (key, value)


def test_a_value_of_the_type_is_left_alone(outcome: Outcome) -> None:
    record = SimpleRecord('{"a": 1.50}', "k")
    assert outcome("cast", {"schema-type": "STRING"}, record)[0] is record


@pytest.mark.parametrize("target", ["string", "JSON", "AVRO", "MAP", "DECIMAL", "nope"])
def test_other_types_are_refused(refusals: Callable[[str, Mapping[str, Any]], list[Problem]], target: str) -> None:
    (problem,) = refusals("cast", {"schema-type": target})
    assert f"{target!r} is not a type" in problem.message


def test_the_type_is_required(refusals: Callable[[str, Mapping[str, Any]], list[Problem]]) -> None:
    (problem,) = refusals("cast", {"part": "value"})
    assert "'schema-type' is required" in problem.message
