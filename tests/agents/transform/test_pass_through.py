"""Records that a transform does not work on leave as they came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from langstream.records import SimpleRecord

VALUES = [
    '{"a": 1.50,  "b": [1, 2]}',
    ' {"a":1} ',
    '{"a":1} trailing',
    '{"a":1}{"b":2}',
    '{"a":1,"a":2}',
    '{"a":1e3}',
    '{"a":12345678901234567890}',
    '{"a":"\\u00e9"}',
    "[1, 2]",
    '"str"',
    "5",
    "true",
    "null",
    "",
    "{'a':1}",
    '{"a":1,}',
    '{"a":NaN}',
    "{}",
    "hello",
    b'{"a": 1}',
    b"plain",
    b"\xff\xfe{",
    '{"a":' * 3000 + "1" + "}" * 3000,
    {"a": 1},
    5,
    1.5,
    [1],
    None,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_a_record_passes_with_its_very_value(outcome: Callable[..., Any], value: Any) -> None:
    record = SimpleRecord(value, '{"k": 1}', [("h", 5), ("n", None), ("b", b"zz"), ("h", "again")], "in", 7)
    (passed,) = outcome("drop", {"when": "value != null && false"}, record)
    assert passed == record
    assert passed.headers() == [("h", 5), ("n", None), ("b", b"zz"), ("h", "again")]


def test_an_unchanged_record_is_the_object_that_came(outcome: Callable[..., Any]) -> None:
    record = SimpleRecord('{"a": 1}', "k")
    assert outcome("compute", {"fields": [{"name": "value.b", "expression": "1"}], "when": "false"}, record) == (
        record,
    )
    assert outcome("drop", {"when": "value.a == 2"}, record)[0] is record
