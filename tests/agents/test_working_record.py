"""The working record: lazily read, copied before it is changed, written back as it came."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from langstream.agents.working_record import UnreadRecord, WorkingRecord, result_field, schema_type_of, text_of
from langstream.errors import RecordError
from langstream.records import AvroValue, Document, SimpleRecord


def working(value: Any = '{"a": 1.50}', key: Any = '{"k": 1}', headers: Any = (), **more: Any) -> WorkingRecord:
    return WorkingRecord(SimpleRecord(value, key, headers, **more))


@pytest.mark.parametrize(
    ("value", "content", "kind"),
    [
        ('{"a":1}', {"a": 1}, "STRING"),
        (b'{"a":1}', {"a": 1}, "BYTES"),
        ({"a": 1}, {"a": 1}, "MAP"),
        ("text", "text", "STRING"),
        (b"text", b"text", "BYTES"),
        (5, 5, "INT64"),
        (1.5, 1.5, "DOUBLE"),
        (True, True, "BOOLEAN"),
        ([1], [1], "LIST"),
        (None, None, None),
    ],
)
def test_it_remembers_what_the_record_arrived_as(value: Any, content: Any, kind: str | None) -> None:
    record = working(value, value)
    assert (record.value, record.value_type) == (content, kind)
    assert (record.key_type, record.key) == (kind, content)


def test_the_other_parts_are_those_of_the_record() -> None:
    record = working(origin="topic", timestamp=7)
    assert (record.topic_name, record.event_time, record.message_key, record.record) == ("topic", 7, None, None)
    with pytest.raises(AttributeError):
        _ = record.nothing  # type: ignore[attr-defined]


def test_a_record_that_was_not_changed_is_the_one_that_came() -> None:
    record = working()
    assert record.value == {"a": 1.5}
    assert record.key == {"k": 1}
    assert record.to_record() is record.source


def test_a_change_copies_the_level_that_is_changed() -> None:
    native = {"a": [1], "b": 2}
    record = working(native)
    record.own_value()["b"] = 3
    record.own_value()["c"] = 4
    assert native == {"a": [1], "b": 2}
    assert record.value == {"a": [1], "b": 3, "c": 4}
    assert record.value["a"] is native["a"]


def test_an_unchanged_part_keeps_its_text() -> None:
    record = working()
    record.own_key()["k"] = 2
    result = record.to_record()
    assert (result.value(), result.key()) == ('{"a": 1.50}', '{"k":2}')


@pytest.mark.parametrize("value", ["text", None, [1], 5, AvroValue({"type": "int"}, 1)])
def test_only_objects_have_members(value: Any) -> None:
    with pytest.raises(RecordError, match="the value is not structured"):
        working(value).own_value()
    with pytest.raises(RecordError, match="the key is not structured"):
        working(None, value).own_key()


def test_a_member_may_be_the_whole_it_becomes_part_of() -> None:
    record = working()
    for name in ("x", "y"):
        record.set_value_field(name, record.value)
    record.set_key_field("v", [record.value])
    record.set_value_field("late", 1)
    assert record.to_record().value() == '{"a":1.5,"x":{"a":1.5},"y":{"a":1.5,"x":{"a":1.5}},"late":1}'
    assert record.to_record().key() == '{"k":1,"v":[{"a":1.5,"x":{"a":1.5},"y":{"a":1.5,"x":{"a":1.5}}}]}'


def test_of_duplicate_headers_the_last_one_is_the_property() -> None:
    record = working(headers=[("a", "1"), ("b", b"2"), ("a", 3), ("n", None)])
    assert record.properties == {"a": "3", "b": "2"}


HEADERS = [("a", "1"), ("x", b"x"), ("a", "2"), ("n", None), ("a", "3"), ("x", 5)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, HEADERS),
        ({"new": "v"}, [*HEADERS, ("new", "v")]),
        ({"a": "v"}, [("a", "v"), ("x", b"x"), ("n", None), ("x", 5)]),
        ({"a": None}, [("x", b"x"), ("n", None), ("x", 5)]),
        ({"n": "v"}, [("a", "1"), ("x", b"x"), ("a", "2"), ("n", "v"), ("a", "3"), ("x", 5)]),
        ({"gone": None}, HEADERS),
        ({"x": None, "a": "v", "b": "w"}, [("a", "v"), ("n", None), ("b", "w")]),
    ],
)
def test_a_changed_header_stands_once_where_the_first_of_its_name_stood(
    changes: dict[str, str | None], expected: list[tuple[str, Any]]
) -> None:
    record = working(headers=HEADERS)
    for name, text in changes.items():
        record.set_property(name, "before")
        record.set_property(name, text)
    assert record.to_record().headers() == expected
    for name, text in changes.items():
        assert record.properties.get(name) == text


def test_a_message_key_is_the_key_of_the_result() -> None:
    record = working(value="v")
    record.message_key = "mk"
    assert record.to_record() == SimpleRecord("v", "mk")


def test_a_destination_stays_with_the_record() -> None:
    source = SimpleRecord("v")
    source.destination = "there"
    record = WorkingRecord(source)
    assert record.destination_topic == "there"
    assert record.to_record() is source
    record.destination_topic = "elsewhere"
    assert record.to_record().destination == "elsewhere"
    assert source.destination == "there"


def test_settling_shows_the_record_as_the_next_agent_sees_it() -> None:
    record = working()
    record.replace_value('{ "b": 2 }')
    record.message_key = '{"m": 1}'
    record.settle()
    assert (record.value, record.value_type, record.key, record.message_key) == ({"b": 2}, "STRING", {"m": 1}, None)
    assert (record.to_record().value(), record.to_record().key()) == ('{ "b": 2 }', '{"m": 1}')


def test_what_is_emitted_is_kept_in_order() -> None:
    record = working()
    first, second = SimpleRecord("1"), SimpleRecord("2")
    record.emit(first)
    record.emit(second)
    assert record.emitted == [first, second]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (None, "x", SimpleRecord("x", '{"k": 1}')),
        ("value", {"x": 1}, SimpleRecord('{"x":1}', '{"k": 1}')),
        ("key", "x", SimpleRecord('{"a": 1.50}', "x")),
        ("value.b.c", [1], SimpleRecord('{"a":1.5,"b.c":[1]}', '{"k": 1}')),
        ("key.m-n", 2, SimpleRecord('{"a": 1.50}', '{"k":1,"m-n":2}')),
        ("properties.p.q", 5, SimpleRecord('{"a": 1.50}', '{"k": 1}', [("p.q", "5")])),
        ("properties.list", [1, "é"], SimpleRecord('{"a": 1.50}', '{"k": 1}', [("list", '[1,"é"]')])),
        ("messageKey", "mk", SimpleRecord('{"a": 1.50}', "mk")),
    ],
)
def test_a_result_goes_where_its_field_says(name: str | None, content: Any, expected: SimpleRecord) -> None:
    record = working()
    result_field(name)(record, content)
    assert record.to_record() == expected


def test_a_result_can_be_the_destination() -> None:
    record = working()
    result_field("destinationTopic")(record, "there")
    assert record.to_record().destination == "there"


@pytest.mark.parametrize("name", ["", "foo", "value.", "properties", "record.x", "topicName", "eventTime"])
def test_other_names_are_no_places_for_results(name: str) -> None:
    with pytest.raises(ValueError, match="not a place for a result"):
        result_field(name)


def test_schema_types_and_texts() -> None:
    moment = datetime(2024, 1, 2, 3, tzinfo=UTC)
    assert (schema_type_of(moment), schema_type_of(moment.replace(tzinfo=None))) == ("INSTANT", "LOCAL_DATE_TIME")
    assert schema_type_of(AvroValue({}, 1)) == "AVRO"
    assert text_of(moment) == "2024-01-02T03:00:00Z"
    assert text_of(None) is None


def test_bytes_stay_bytes() -> None:
    record = working(b'{"a": 1}')
    record.own_value()["b"] = 2
    result = record.to_record()
    assert result.parsed_value() == Document({"a": 1, "b": 2}, binary=True)
    assert result.value() == b'{"a":1,"b":2}'


def test_a_record_made_on_the_way_stays_as_it_was() -> None:
    record = working()
    before = record.to_record()
    record.own_value()["a"] = 2
    record.own_key()["k"] = 2
    between = record.to_record()
    record.own_value()["a"] = 3
    record.own_key()["k"] = 3
    assert (before.value(), before.key()) == ('{"a": 1.50}', '{"k": 1}')
    assert (between.value(), between.key()) == ('{"a":2}', '{"k":2}')
    assert (record.to_record().value(), record.to_record().key()) == ('{"a":3}', '{"k":3}')


def test_a_value_that_became_the_key_keeps_its_text_and_its_content() -> None:
    record = working()
    record.replace_key(record.value)
    record.own_value()["a"] = 2
    assert (record.to_record().value(), record.to_record().key()) == ('{"a":2}', '{"a": 1.50}')


def test_two_working_records_of_one_record_do_not_see_each_other() -> None:
    source = SimpleRecord('{"a": 1.50}')
    first, second = WorkingRecord(source), WorkingRecord(source)
    first.own_value()["a"] = 2
    assert second.to_record() is source
    second.replace_key(second.value)
    assert (first.to_record().value(), source.value()) == ('{"a":2}', '{"a": 1.50}')
    assert second.to_record().key() == '{"a": 1.50}'


def test_a_value_can_be_left_unread() -> None:
    source = SimpleRecord('{"a": 1.50}', "k")
    record = UnreadRecord(source)
    record.set_property("h", "1")
    assert record.to_record() == SimpleRecord('{"a": 1.50}', "k", [("h", "1")])
    assert source._value == '{"a": 1.50}'
    assert (record.value, record.value_type) == ({"a": 1.5}, "STRING")
    with pytest.raises(AttributeError):
        _ = record.nothing  # type: ignore[attr-defined]
