from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.transform.flatten import flattened
from langstream.errors import Problem, RecordError
from langstream.records import SimpleRecord

Result = Callable[..., SimpleRecord]
Outcome = Callable[..., Any]


def test_nested_objects_become_one_level(result: Result) -> None:
    value = '{"a":"A","n":{"x":1,"d":{"y":2.5}},"l":[{"z":1}],"e":{},"u":null}'
    assert result("flatten", {"part": "value"}, SimpleRecord(value)).value() == (
        '{"a":"A","n_x":1,"n_d_y":2.5,"l":[{"z":1}],"e":{},"u":null}'
    )


def test_the_delimiter_joins_the_names_and_both_parts_are_flattened(result: Result) -> None:
    changed = result("flatten", {"delimiter": "."}, SimpleRecord({"a": {"b": 1}}, '{"k":{"m":2}}'))
    assert (changed.key(), changed.value()) == ('{"k.m":2}', {"a.b": 1})


def test_without_a_part_whatever_is_structured_is_flattened(result: Result) -> None:
    changed = result("flatten", None, SimpleRecord('{"a":{"b":1}}', "k"))
    assert (changed.key(), changed.value()) == ("k", '{"a_b":1}')
    assert result("flatten", None, SimpleRecord('{"a":{"b":1}}')).value() == '{"a_b":1}'


@pytest.mark.parametrize(
    ("options", "value"), [({"part": "value"}, None), ({"part": "value"}, "text"), ({"part": "key"}, "{}"), ({}, "t")]
)
def test_what_is_not_structured_fails_the_record(outcome: Outcome, options: dict[str, Any], value: Any) -> None:
    failure = outcome("flatten", options, SimpleRecord(value, "key"))
    assert isinstance(failure, RecordError)
    assert "is not structured" in str(failure)


def test_two_fields_of_one_name_fail_the_record(outcome: Outcome) -> None:
    failure = outcome("flatten", None, SimpleRecord('{"a_b":0,"a":{"b":1}}'))
    assert isinstance(failure, RecordError)
    assert "'a_b'" in str(failure)


def test_a_flat_object_is_left_alone(outcome: Outcome) -> None:
    record = SimpleRecord('{"a": 1.50, "l": [{}]}')
    assert outcome("flatten", None, record)[0] is record


def test_deep_objects_flatten_too(result: Result) -> None:
    depth = 1000
    value = '{"a":' * depth + "1" + "}" * depth
    assert json.loads(result("flatten", {"delimiter": ""}, SimpleRecord(value)).value()) == {"a" * depth: 1}


def test_other_parts_are_refused(refusals: Callable[[str, Mapping[str, Any]], list[Problem]]) -> None:
    (problem,) = refusals("flatten", {"part": "x"})
    assert "'part'" in problem.message


objects = st.recursive(
    st.integers() | st.none() | st.lists(st.integers()),
    lambda inner: st.dictionaries(st.text("abc", min_size=1), inner, min_size=1),
    max_leaves=20,
).filter(lambda value: isinstance(value, dict))


def leaves(content: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(content, dict):
        return {"/".join(path): content}
    return {name: leaf for key, item in content.items() for name, leaf in leaves(item, (*path, key)).items()}


@given(objects)
def test_every_leaf_is_found_under_its_path_in_order(content: dict[str, Any]) -> None:
    flat = flattened(content, "/")
    assert flat == leaves(content)
    assert list(flat) == list(leaves(content))
    assert flattened(flat, "/") is flat
