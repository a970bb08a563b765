"""Records as other clients see them."""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

import pytest

from langstream.records import SimpleRecord
from langstream.topics.encoding import rows_of
from langstream.topics.kafka.wire import TYPES, Headers, payloads, payloads_of, records


class Payload(NamedTuple):
    """What `payloads` gives, with names."""

    key: bytes | None
    value: bytes | None
    headers: Headers | None
    timestamp: int


class Message:
    """A message as the client hands it out."""

    def __init__(self, payload: Payload, timestamp: int = 5) -> None:
        self._payload, self._timestamp = payload, payload.timestamp or timestamp

    def offset(self) -> int:
        return 7

    def key(self) -> bytes | None:
        return self._payload.key

    def value(self) -> bytes | None:
        return self._payload.value

    def headers(self) -> Any:
        return self._payload.headers

    def timestamp(self) -> tuple[int, int]:
        return 1, self._timestamp


def written(record: SimpleRecord) -> Payload:
    return Payload(*payloads(rows_of([record]))[0])


def read(payload: Payload) -> SimpleRecord:
    offsets, found = records([Message(payload)], "t")
    assert offsets == [7]
    return found[0]


def test_text_bytes_and_null_are_what_other_clients_expect() -> None:
    payload = written(SimpleRecord("é", b"\xff", [("h", "x"), ("n", None)], timestamp=3))
    assert payload == Payload(b"\xff", "é".encode(), [("h", b"x"), ("n", None)], 3)
    assert written(SimpleRecord(None)).value is None


def test_documents_are_json_text() -> None:
    assert written(SimpleRecord({"a": 1})).value == b'{"a":1}'


def test_nothing_is_added_to_plain_records() -> None:
    assert written(SimpleRecord("text", "key", [("h", "x")])).headers == [("h", b"x")]
    assert written(SimpleRecord(b"\xff\x00")).headers is None


def test_bytes_that_could_be_text_are_marked_for_us_and_plain_for_others() -> None:
    payload = written(SimpleRecord(b"text"))
    assert payload.value == b"text"
    assert payload.headers is not None
    assert [name for name, _ in payload.headers] == [TYPES]
    assert read(payload).value() == b"text"
    assert read(payload).headers() == []


def test_a_time_far_ahead_is_kept_without_the_broker_refusing_it() -> None:
    far = (int(time.time()) + 86_400) * 1000
    payload = written(SimpleRecord("v", timestamp=far))
    assert payload.timestamp == 0
    assert read(payload).timestamp() == far


def test_a_header_of_the_user_with_our_name_is_kept() -> None:
    record = read(written(SimpleRecord("v", headers=[(TYPES, '{"v":"b"}')])))
    assert record.value() == "v"
    assert record.headers() == [(TYPES, '{"v":"b"}')]


def test_a_damaged_header_does_not_hide_the_record() -> None:
    for content in (b"nonsense", b"[]", b'{"h":3}', b'{"v":{"avro":"x"}}', None):
        payload = Payload(None, b"v", [("a", b"b"), (TYPES, content)], 1)
        assert read(payload).value() == "v"
        assert read(payload).headers()[0] == ("a", "b")


def test_records_without_a_time_have_none() -> None:
    assert read(Payload(None, b"v", None, -1)).timestamp() is None


def test_the_header_is_json_that_people_can_read() -> None:
    payload = written(SimpleRecord(b"v", b"k", [("a\0b", b"x")]))
    assert payload.headers is not None
    types = json.loads(payload.headers[-1][1] or b"")
    assert types == {"k": "b", "v": "b", "h": {"0": "b"}, "n": {"0": "a\0b"}}


USUAL = SimpleRecord("text", "key", timestamp=5)
UNUSUAL = [
    SimpleRecord("text", "key", [("h", "x")], timestamp=5),
    SimpleRecord(b"\xff", "key", timestamp=5),
    SimpleRecord("\ud800", "key", timestamp=5),
    SimpleRecord({"a": 1}, {"b": 2}, timestamp=5),
    SimpleRecord(None, None, timestamp=5),
    SimpleRecord("far ahead", timestamp=2**50),
    SimpleRecord("at the beginning of time", timestamp=0),
]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("unusual", UNUSUAL)
def test_usual_and_other_records_are_written_in_their_order(unusual: SimpleRecord, place: int) -> None:
    records = [USUAL, SimpleRecord("é", None, timestamp=6)]
    records.insert(place, unusual)
    assert payloads_of(records) == payloads(rows_of(records))
    assert payloads_of(records * 2) == payloads_of(records) * 2


def test_records_without_a_time_get_the_present_one() -> None:
    assert abs(payloads_of([USUAL, SimpleRecord("x")])[1][3] - time.time_ns() // 1_000_000) < 60_000
