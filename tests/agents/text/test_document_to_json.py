from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from langstream.agents.text.document_to_json import DocumentToJsonConfiguration, create
from langstream.configuration.validation import check
from langstream.records import AvroValue, SimpleRecord


def wrapped(record: SimpleRecord, options: Mapping[str, Any] | None = None) -> SimpleRecord:
    model, problems = check(DocumentToJsonConfiguration, options, subject="document-to-json")
    assert not problems
    assert model is not None
    (outcome,) = create(model).process_batch([record])
    assert not isinstance(outcome, Exception)
    (result,) = outcome
    assert isinstance(result, SimpleRecord)
    return result


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("hello", '"hello"'),
        ('say "hi"', '"say \\"hi\\""'),
        ('{"a": 1.50}', '"{\\"a\\": 1.50}"'),
        (None, "null"),
        (5, '"5"'),
        (True, '"true"'),
        (b"ab", '"ab"'),
        (b"\xff", '"\ufffd"'),
        ({"a": 1}, '"{\\"a\\":1}"'),
        (
            AvroValue({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}, {"a": 1}),
            '"{\\"a\\":1}"',
        ),
    ],
)
def test_the_text_of_the_value_is_wrapped(value: Any, text: str) -> None:
    assert wrapped(SimpleRecord(value)).value() == f'{{"text":{text}}}'


def test_headers_become_members_and_stay() -> None:
    headers = [("n", 5), ("b", b"zz"), ("a", "1"), ("a", "2"), ("none", None)]
    result = wrapped(SimpleRecord("x", "k", headers, "in", 7), {"text-field": "doc"})
    assert result == SimpleRecord('{"doc":"x","n":5,"b":"zz","a":"2","none":null}', "k", headers, "in", 7)


def test_a_header_does_not_replace_the_text() -> None:
    assert wrapped(SimpleRecord("x", None, [("text", "clash")])).value() == '{"text":"x"}'


def test_headers_can_be_left_out() -> None:
    result = wrapped(SimpleRecord("x", None, [("a", "1")]), {"text-field": "doc", "copy-properties": "false"})
    assert (result.value(), result.headers()) == ('{"doc":"x"}', [("a", "1")])


def test_deletions_can_be_let_pass() -> None:
    deletion = SimpleRecord(None, "k", [("a", "1")])
    assert wrapped(deletion, {"pass-deletions": True}) == deletion
    assert wrapped(SimpleRecord("x"), {"pass-deletions": True}).value() == '{"text":"x"}'
