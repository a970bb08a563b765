"""Queries as JSON templates: a value is a value wherever it goes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.errors import ServiceError
from langstream.services.stores.query_template import bound, template

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "parameters", "query"),
    [
        ('{"vector": ?}', [[0.1, 0.2]], {"vector": [0.1, 0.2]}),
        ('{"a": ?, "b": ?}', ["why?", 2], {"a": "why?", "b": 2}),
        ('{"a": [?, {"b": ?}], "k": 12}', [None, True], {"a": [None, {"b": True}], "k": 12}),
        ('{"ids": [?]}', ['{"myid":"xx"}'], {"ids": ['{"myid":"xx"}']}),
        ('{"a": ?}', [1, "ignored"], {"a": 1}),
        ('{"a": 1}', ["ignored"], {"a": 1}),
        ('{"q": "really?", "a": ?}', [1], {"q": "really?", "a": 1}),
        ('{"q": "{!knn f=v topK=10}?", "a": ?}', [[1, 2.5], "x"], {"q": "{!knn f=v topK=10}[1,2.5]", "a": "x"}),
        ('{"q": "? and ?"}', [1, 2.5], {"q": "1 and 2.5"}),
        ('{"q": "\\" ?"}', [7], {"q": '" 7'}),
        ('{"what?": ?}', [1], {"what?": 1}),
        ('{"what?": "?", "b": ?}', [1, 2], {"what?": "1", "b": 2}),
    ],
)
def test_each_mark_takes_its_parameter(text: str, parameters: list[Any], query: Any) -> None:
    assert bound(text, parameters) == query


@pytest.mark.parametrize(
    ("text", "parameters", "words"),
    [
        ('{"name": "?"}', ["text"], "Without quotes"),
        ('{"q": "x ?"}', [{"a": 1}], "Without quotes"),
        ('{"q": "x ?"}', [["a"]], "Without quotes"),
        ('{"a": ?, "b": ?}', [1], "needs 2 parameters, 1 were given"),
        ('{"a": ?, "b": "? ?"}', [1, 2], "needs 1 or 3 parameters"),
        ("{?: 1}", ["a"], "in place of a name"),
        ('{"a": }', [], "not valid JSON"),
        ("", [], "not valid JSON"),
        ("[?]", [1], "must be a JSON object"),
    ],
)
def test_what_cannot_be_bound_is_refused(text: str, parameters: list[Any], words: str) -> None:
    with pytest.raises(ServiceError, match=words) as caught:
        bound(text, parameters)
    assert not caught.value.retryable


@given(JSON, JSON)
def test_any_values_come_out_as_they_went_in(first: Any, second: Any) -> None:
    query = bound('{"a": ?, "deep": [{"b": ?}], "text": "?"}', [first, second])
    assert query == {"a": first, "deep": [{"b": second}], "text": "?"}


@given(JSON)
def test_a_template_without_marks_is_its_json(content: Any) -> None:
    text = orjson.dumps({"content": content}).decode()
    assert bound(text, []) == {"content": content}


def test_a_template_is_taken_apart_once() -> None:
    assert template('{"a": ?}') is template('{"a": ?}')
