from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from langstream.records import SimpleRecord

Result = Callable[..., SimpleRecord]


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        (None, '{"k":2}', '{"b":2}'),
        ("value", '{"a": 1,"k":2}', '{"b":2}'),
        ("key", '{"k":2}', '{"a": 1,"b":2}'),
        ("other", '{"a": 1,"k":2}', '{"b":2}'),
    ],
)
def test_fields_leave_the_part(result: Result, part: str | None, key: str, value: str) -> None:
    options = {"fields": ["a", "zz"]} | ({"part": part} if part else {})
    changed = result("drop-fields", options, SimpleRecord('{"a": 1,"b":2}', '{"a": 1,"k":2}'))
    assert (changed.key(), changed.value()) == (key, value)


@pytest.mark.parametrize("value", ["plain", None, 5, [1], '{"a":{"x":1}}', '["x"]'])
def test_what_lacks_the_field_is_left_alone(outcome: Callable[..., Any], value: Any) -> None:
    record = SimpleRecord(value, "plain")
    assert outcome("drop-fields", {"fields": ["x", "a.x"]}, record)[0] is record


def test_an_emptied_object_remains(result: Result) -> None:
    assert result("drop-fields", {"fields": ["a"]}, SimpleRecord('{"a":1}')).value() == "{}"


def test_bytes_stay_bytes(result: Result) -> None:
    assert result("drop-fields", {"fields": ["a"]}, SimpleRecord(b'{"a":1,"b":2}')).value() == b'{"b":2}'


def test_a_native_object_stays_one(result: Result) -> None:
    assert result("drop-fields", {"fields": ["a"]}, SimpleRecord({"a": 1, "b": 2})).value() == {"b": 2}


def test_the_original_is_not_changed(result: Result) -> None:
    native = {"a": 1, "b": 2}
    record = SimpleRecord(native, '{"a": 1}')
    result("drop-fields", {"fields": ["a"]}, record)
    assert native == {"a": 1, "b": 2}
    assert record.key() == '{"a": 1}'


def test_the_condition_guards_it(outcome: Callable[..., Any]) -> None:
    record = SimpleRecord('{"a": 1}')
    assert outcome("drop-fields", {"fields": ["a"], "when": "value.a == 2"}, record)[0] is record
