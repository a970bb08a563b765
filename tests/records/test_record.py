"""Records as values."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import Any

import pytest

from langstream.records import (
    AvroValue,
    Dispatched,
    Document,
    SimpleRecord,
    header,
    header_text,
    key_bytes,
    partition_of,
)


def test_a_record_has_what_it_was_given() -> None:
    record = SimpleRecord("v", "k", [("a", "1"), ("a", b"2")], "topic", 5)
    assert (record.value(), record.key(), record.origin(), record.timestamp()) == ("v", "k", "topic", 5)
    assert record.headers() == [("a", "1"), ("a", b"2")]


def test_everything_but_the_value_is_optional() -> None:
    record = SimpleRecord("v")
    assert (record.key(), record.headers(), record.origin(), record.timestamp()) == (None, [], None, None)


def test_the_list_of_headers_is_the_callers_own() -> None:
    record = SimpleRecord("v", headers=[("a", "1")])
    record.headers().clear()
    assert record.headers() == [("a", "1")]


def test_a_parsed_record_still_gives_its_text() -> None:
    record = SimpleRecord('{"a": 1.50}', b'{"k": 1}')
    value, key = record.parsed_value(), record.parsed_key()
    assert (value.content, key.content) == ({"a": 1.5}, {"k": 1})
    assert record.parsed_value() is value
    assert (record.value(), record.key()) == ('{"a": 1.50}', b'{"k": 1}')


@pytest.mark.parametrize("value", ["plain", b"\xff", "[1]", 5, None, [1], {"a": 1}])
def test_other_values_are_seen_as_they_are(value: Any) -> None:
    record = SimpleRecord(value, value)
    assert record.parsed_value() is value
    assert record.parsed_key() is value


def test_a_copy_keeps_everything_else() -> None:
    record = SimpleRecord("v", "k", [("a", "1")], "topic", 5)
    record.destination = "there"
    other, headers = record.with_value("w"), record.with_headers([("b", "2")])
    assert other == SimpleRecord("w", "k", [("a", "1")], "topic", 5)
    assert headers == SimpleRecord("v", "k", [("b", "2")], "topic", 5)
    assert (other.destination, headers.destination) == ("there", "there")


def test_records_are_equal_by_what_they_have_parsed_or_not() -> None:
    record, same = SimpleRecord('{"a": 1}', "k"), SimpleRecord('{"a": 1}', "k")
    record.parsed_value()
    assert record == same
    assert record != SimpleRecord('{"a":1}', "k")
    assert record != SimpleRecord('{"a": 1}', "k", timestamp=1)
    assert record != "record"


def test_a_dispatched_record_is_the_record_on_its_way() -> None:
    record = SimpleRecord("v", "k", [("a", "1")], "topic", 5)
    dispatched = Dispatched.to("there", record)
    assert dispatched == record
    assert dispatched.destination == "there"
    assert record.destination is None


def test_a_document_is_written_once_and_compactly() -> None:
    document = Document({"a": [1, "é"]})
    assert document.text() == '{"a":[1,"é"]}'
    assert document.text() is document.text()
    assert Document({"a": 1}, binary=True).text() == b'{"a":1}'


def test_documents_are_equal_by_content() -> None:
    assert Document({"a": 1}, text='{"a": 1}') == Document({"a": 1})
    assert Document({"a": 1}) != Document({"a": 1}, binary=True)
    assert AvroValue({"type": "int"}, 1) != AvroValue({"type": "long"}, 1)


def test_the_first_header_of_a_name_is_found() -> None:
    assert header([("a", "1"), ("b", "2"), ("b", "3")], "b") == "2"
    assert header([], "b") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("t", "t"),
        (None, None),
        (b"\xc3\xa9\xff", "é\ufffd"),
        (5, "5"),
        (1.5, "1.5"),
        (True, "true"),
        ({"a": [1]}, '{"a":[1]}'),
        ([1, "b"], '[1,"b"]'),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00Z"),
    ],
)
def test_a_header_value_as_text(value: Any, text: str | None) -> None:
    assert header_text(value) == text


@pytest.mark.parametrize("key", ['{"a":1}', b'{"a":1}', {"a": 1}, Document({"a": 1})])
def test_keys_that_mean_the_same_have_the_same_bytes(key: Any) -> None:
    assert key_bytes(key) == b'{"a":1}'
    assert partition_of(key, 7) == zlib.crc32(b'{"a":1}') % 7


def test_keys_with_lone_surrogates_and_numbers_have_bytes_too() -> None:
    assert key_bytes("\ud800") == b"\xed\xa0\x80"
    assert key_bytes(5) == b"5"
