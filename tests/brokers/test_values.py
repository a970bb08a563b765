"""What is sent is what is read."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langstream.errors import RecordError
from langstream.records import AvroValue, Document, SimpleRecord

SCHEMA = {
    "type": "record",
    "name": "Point",
    "fields": [{"name": "x", "type": "int"}, {"name": "label", "type": ["null", "string"], "default": None}],
}

AS_READ = [
    ("text", "text"),
    ("", ""),
    (b"\x00\xff", b"\x00\xff"),
    (b"", b""),
    (bytearray(b"ab"), b"ab"),
    (None, None),
    (1, "1"),
    (1.5, "1.5"),
    (True, "true"),
    ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
    ([1, None], "[1,null]"),
    (Document({"a": 1}), '{"a":1}'),
    (Document({"a": 1}, binary=True), b'{"a":1}'),
    (Document({"a": 1}, text='{ "a": 1 }'), '{ "a": 1 }'),
    ("a\x00b", "a\x00b"),
    ("\ud800 alone", "\ud800 alone"),
    ('{"b":"eA=="}', '{"b":"eA=="}'),
    (2**80, str(2**80)),
]


@pytest.mark.parametrize(("sent", "read"), AS_READ, ids=[repr(sent)[:20] for sent, _ in AS_READ])
async def test_values_and_keys_keep_their_form_or_become_json(bench: Any, sent: Any, read: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, SimpleRecord(sent, sent))
    (record,) = await bench.read(topic)
    assert (record.value(), record.key()) == (read, read)
    assert (type(record.value()), type(record.key())) == (type(read), type(read))


async def test_avro_travels_with_its_schema(bench: Any) -> None:
    topic = await bench.topic()
    other = {"type": "string"}
    await bench.send(
        topic, AvroValue(SCHEMA, {"x": 1, "label": "a"}), AvroValue(other, "text"), key=AvroValue(other, "k")
    )
    first, second = await bench.read(topic)
    assert first.value() == AvroValue(SCHEMA, {"x": 1, "label": "a"})
    assert second.value() == AvroValue(other, "text")
    assert first.key() == AvroValue(other, "k")


async def test_a_value_that_does_not_fit_its_schema_is_refused(bench: Any) -> None:
    topic = await bench.topic()
    with pytest.raises(RecordError, match="Avro"):
        await bench.send(topic, AvroValue(SCHEMA, {"x": "not a number"}))
    assert await bench.values(topic) == []


async def test_a_value_that_cannot_travel_is_refused_by_type(bench: Any) -> None:
    topic = await bench.topic()
    with pytest.raises(RecordError, match="type object"):
        await bench.send(topic, "fine", object())
    assert await bench.values(topic) == []


async def test_headers_keep_order_duplicates_text_bytes_and_null(bench: Any) -> None:
    topic = await bench.topic()
    headers = [("b", "1"), ("a", b"\xff"), ("b", None), ("", "")]
    await bench.send(topic, SimpleRecord("v", headers=headers))
    (record,) = await bench.read(topic)
    assert record.headers() == headers


async def test_other_header_values_become_text(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, SimpleRecord("v", headers=[("n", 1), ("f", 1.5), ("t", True), ("d", {"a": 1})]))
    (record,) = await bench.read(topic)
    assert record.headers() == [("n", "1"), ("f", "1.5"), ("t", "true"), ("d", '{"a":1}')]


async def test_a_timestamp_is_kept(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, SimpleRecord("v", timestamp=1_234))
    (record,) = await bench.read(topic)
    assert record.timestamp() == 1_234


async def test_a_record_without_timestamp_gets_the_present(bench: Any) -> None:
    topic = await bench.topic()
    before = int(time.time() * 1000)
    await bench.send(topic, "v")
    (record,) = await bench.read(topic)
    assert before <= record.timestamp() <= int(time.time() * 1000) + 1


async def test_the_origin_is_the_topic(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, SimpleRecord("v", origin="somewhere"))
    (record,) = await bench.read(topic)
    assert record.origin() == topic


async def test_a_large_value_travels(bench: Any) -> None:
    topic = await bench.topic()
    large = "x" * 3_000_000
    await bench.send(topic, "before", large, "after")
    assert await bench.values(topic) == ["before", large, "after"]


async def test_a_json_object_is_parsed_as_it_would_be_anywhere(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, {"a": 1})
    (record,) = await bench.read(topic)
    assert record.parsed_value() == Document({"a": 1})


VALUES = st.none() | st.text() | st.binary() | st.text(alphabet=st.characters(categories=["Cs", "Cc"]))
HEADERS = st.lists(st.tuples(st.text(), st.none() | st.text() | st.binary()), max_size=3)
RECORDS = st.lists(
    st.builds(SimpleRecord, VALUES, VALUES, HEADERS, st.none(), st.integers(0, 2**63 - 1)), min_size=1, max_size=20
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS)
async def test_any_records_come_back_in_order(bench: Any, records: list[SimpleRecord]) -> None:
    topic = await bench.topic()
    await bench.send(topic, *records)
    assert [(read.value(), read.key(), read.headers(), read.timestamp()) for read in await bench.read(topic)] == [
        (sent.value(), sent.key(), sent.headers(), sent.timestamp()) for sent in records
    ]
