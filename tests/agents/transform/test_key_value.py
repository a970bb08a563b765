"""`merge-key-value` and `unwrap-key-value`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from langstream.errors import Problem
from langstream.records import SimpleRecord

Result = Callable[..., SimpleRecord]


@pytest.mark.parametrize(
    ("key", "value", "merged"),
    [
        ('{"a":1,"x":9}', '{"b":2,"x":3}', '{"b":2,"x":3,"a":1}'),
        ("plain", '{"b":2}', '{"b":2}'),
        (None, '{"b":2}', '{"b":2}'),
        ('{"a":1}', "plain", "plain"),
        ('{"a":1}', None, None),
        ('{"n":5}', '{"n":null}', '{"n":5}'),
        ('{"a":1}', {"b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, b'{"b":2}', b'{"b":2,"a":1}'),
    ],
)
def test_the_fields_of_the_key_join_those_of_the_value(result: Result, key: Any, value: Any, merged: Any) -> None:
    changed = result("merge-key-value", None, SimpleRecord(value, key))
    assert (changed.key(), changed.value()) == (key, merged)


@pytest.mark.parametrize(
    ("key", "value", "unwrapped"),
    [("k", "v", "k"), ('{"a": 1.50}', '{"b":2}', '{"a": 1.50}'), (b"k", "v", b"k"), (5, "v", 5)],
)
@pytest.mark.parametrize("spelling", ["unwrapKey", "unwrap-key"])
def test_the_key_becomes_the_value(result: Result, key: Any, value: Any, unwrapped: Any, spelling: str) -> None:
    changed = result("unwrap-key-value", {spelling: True}, SimpleRecord(value, key))
    assert (changed.key(), changed.value()) == (None, unwrapped)


def test_without_the_option_the_key_is_forgotten(result: Result) -> None:
    changed = result("unwrap-key-value", None, SimpleRecord('{"b": 2}', '{"a": 1}'))
    assert (changed.key(), changed.value()) == (None, '{"b": 2}')


@pytest.mark.parametrize("unwrap", [True, False])
def test_a_record_without_key_is_left_alone(outcome: Callable[..., Any], unwrap: bool) -> None:
    record = SimpleRecord("v")
    assert outcome("unwrap-key-value", {"unwrapKey": unwrap}, record)[0] is record


def test_other_spellings_are_refused(refusals: Callable[[str, Mapping[str, Any]], list[Problem]]) -> None:
    (problem,) = refusals("unwrap-key-value", {"unwrap_key": True})
    assert "'unwrap_key' is unknown" in problem.message
