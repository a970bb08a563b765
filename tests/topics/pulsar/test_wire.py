"""Records as other clients see them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.records import AvroValue, SimpleRecord
from langstream.topics.encoding import records_of, rows_of
from langstream.topics.pulsar.position import end_of, entry_of, nothing_before, offset_of
from langstream.topics.pulsar.schemas import Explained, Form, Versions
from langstream.topics.pulsar.wire import TYPES, arrived, payloads

POINT = json.dumps(
    {"type": "record", "name": "P", "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "int"}]}
)


class Identity:
    def ledger_id(self) -> int:
        return 3

    def entry_id(self) -> int:
        return 4

    def batch_index(self) -> int:
        return 5


class Message:
    """What the client was given, as it hands it out: properties once per name and in order of their names."""

    def __init__(self, built: Any, version: int = -1, properties: dict[str, str] | None = None) -> None:
        self._built, self._version = built, version
        self._properties = properties

    def message_id(self) -> Identity:
        return Identity()

    def int_schema_version(self) -> int:
        return self._version

    def properties(self) -> dict[str, str]:
        found: dict[str, str] = self._built.properties()
        return self._properties if self._properties is not None else dict(sorted(found.items()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._built, name)


def unknown(version: int) -> Form | None:
    raise AssertionError(version)


def written(record: SimpleRecord) -> Any:
    return payloads(rows_of([record]))[0].message


def read(message: Message, versions: Versions | None = None) -> SimpleRecord:
    batch = arrived([message], versions or Versions(unknown))
    assert batch.offsets == [offset_of(3, 4, 5)]
    return records_of(batch.rows, "t")[0]


def test_text_is_what_other_clients_expect() -> None:
    message = written(SimpleRecord("é", "k", [("a", "1"), ("b", "é")], timestamp=3))
    assert (message.data(), message.partition_key(), message.event_timestamp()) == ("é".encode(), "k", 3)
    assert message.properties() == {"a": "1", "b": "é"}


def test_only_what_properties_cannot_tell_is_added() -> None:
    assert TYPES not in written(SimpleRecord(b"\xff", "k", [("a", "1")], timestamp=1)).properties()
    assert json.loads(written(SimpleRecord(b"text", timestamp=1)).properties()[TYPES]) == {"v": "bytes"}
    assert json.loads(written(SimpleRecord("", "k", [("b", ""), ("a", "")], timestamp=1)).properties()[TYPES]) == {
        "o": ["b", "a"]
    }


def test_no_value_is_a_null_message() -> None:
    assert written(SimpleRecord(None, "k", timestamp=1)).has_null_value()
    assert not written(SimpleRecord(b"", "k", timestamp=1)).has_null_value()


@pytest.mark.parametrize(
    "found", ["", "{", "[]", '{"h":[["a"]]}', '{"o":["gone"]}', '{"v":"new"}', '{"v":{"avro":"x"}}']
)
def test_a_damaged_note_does_no_harm(found: str) -> None:
    message = written(SimpleRecord("v", "k", [("a", "1")], timestamp=1))
    record = read(Message(message, properties={"a": "1", TYPES: found}))
    assert (record.value(), record.key(), record.headers()) == ("v", "k", [("a", "1")])


def test_the_schema_explains_a_value_that_has_a_version() -> None:
    asked: list[int] = []

    def ask(version: int) -> Form | None:
        asked.append(version)
        return Form("AVRO", POINT)

    versions = Versions(ask)
    (payload,) = payloads([(1, None, Explained(b"\x02\x04"), None)])
    message = Message(payload.message, version=7)
    assert [read(message, versions).value() for _ in range(3)] == [AvroValue(json.loads(POINT), {"x": 1, "y": 2})] * 3
    assert asked == [7]


KEYS = st.none() | st.text() | st.binary() | st.text(alphabet=st.characters(categories=["Cs"]))
HEADERS = st.lists(st.tuples(st.sampled_from(["a", "b", "", TYPES]) | st.text(), KEYS), max_size=4)


@given(KEYS, KEYS, HEADERS, st.integers(0, 2**63 - 1))
def test_any_record_comes_back(value: Any, key: Any, headers: Any, timestamp: int) -> None:
    record = read(Message(written(SimpleRecord(value, key, headers, timestamp=timestamp))))
    assert (record.value(), record.key(), record.headers(), record.timestamp()) == (value, key, headers, timestamp)


IDS = st.tuples(st.integers(0, 2**40), st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1))


@given(IDS, IDS)
def test_offsets_are_in_the_order_of_messages_and_lead_back(first: Any, second: Any) -> None:
    assert (offset_of(*first) < offset_of(*second)) == (first < second)
    assert entry_of(offset_of(*first)) == first[:2]


def test_the_end_of_a_partition_is_behind_its_last_message() -> None:
    assert end_of({"ledgerId": 3, "entryId": 4, "batchIndex": 5}) == offset_of(3, 4, 5) + 1
    assert end_of({"ledgerId": 3, "entryId": 4}) == offset_of(3, 4) + 1
    assert end_of({"ledgerId": 3, "entryId": -1}) == offset_of(3, 0)
    assert end_of({"ledgerId": -1, "entryId": -1}) == 0
    assert nothing_before(0)
    assert nothing_before(offset_of(3, 0))
    assert not nothing_before(offset_of(3, 0) + 1)
