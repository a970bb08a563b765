"""`compute` on JSON, text and headers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from langstream.errors import Problem, RecordError
from langstream.records import SimpleRecord

Result = Callable[..., SimpleRecord]
Outcome = Callable[..., Any]

OBJECT = {"a": 1, "b": "x", "n": None, "l": [1, 2], "m": {"k": "v"}}


def structured() -> SimpleRecord:
    return SimpleRecord(json.dumps(OBJECT), '{"id":7}', [("p", "1")])


def text() -> SimpleRecord:
    return SimpleRecord("text", "k", [("p", "1")])


def field(name: str, expression: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "expression": expression, **more}


def compute(*fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"fields": list(fields)}


MEMBERS: list[tuple[str, str | None, Any]] = [
    ("value.a + 1", None, 2),
    ("value.a + 1", "STRING", "2"),
    ("value.n", "STRING", None),
    ("value.missing", "INT32", None),
    ("value.missing", "DECIMAL", None),
    ("value.l", None, [1, 2]),
    ("value.l", "STRING", "[1, 2]"),
    ("value.m", None, {"k": "v"}),
    ("properties", None, {"p": "1"}),
    ("'2024-01-02'", "DATE", 19724),
    ("'2024-01-02'", "LOCAL_DATE", 19724),
    ("'10:15:30'", "TIME", 36930000),
    ("'10:15:30.5'", "LOCAL_TIME", 36930500),
    ("'2024-01-02T03:04:05Z'", "INSTANT", 1704164645000),
    ("'2024-01-02T03:04:05Z'", "TIMESTAMP", 1704164645000),
    ("'2024-01-02T03:04:05'", "LOCAL_DATE_TIME", 1704164645000),
    ("'2024-01-02T03:04:05Z'", "DATETIME", 1704164645000),
    ("fn:timestampAdd('2024-01-02T03:04:05Z', 678, 'millis')", None, 1704164645678),
    ("fn:timestampAdd('2024-01-02T03:04:05Z', 678, 'millis')", "STRING", "2024-01-02T03:04:05.678Z"),
    ("'abc'", "BYTES", "YWJj"),
    ("300", "INT8", 44),
    ("32768", "INT16", -32768),
    ("9007199254740993", "INT64", 9007199254740993),
    ("9007199254740993", None, 9007199254740993),
    ("12345678901234567890", "STRING", "12345678901234567890"),
    ("5", "DOUBLE", 5.0),
    ("'true'", "BOOLEAN", True),
    ("fn:filter(value.l, 'record > value.a')", None, [2]),
    ("fn:split('a,b', ',')", None, ["a", "b"]),
    ("fn:unpack('1,2', 'x,y')", None, {"x": "1", "y": "2"}),
    ("1.0/3", None, 0.3333333333333333),
    ("value", None, OBJECT),
    ("fn:mapOf('inner', value)", None, {"inner": OBJECT}),
]


@pytest.mark.parametrize(("expression", "declared", "expected"), MEMBERS)
def test_a_member_of_the_value_is_set(result: Result, expression: str, declared: str | None, expected: Any) -> None:
    more = {"type": declared} if declared else {}
    changed = result("compute", compute(field("value.c", expression, **more)), structured())
    assert json.loads(changed.value()) == {**OBJECT, "c": expected}
    assert type(json.loads(changed.value())["c"]) is type(expected)
    assert (changed.key(), changed.headers()) == ('{"id":7}', [("p", "1")])


def test_a_decimal_keeps_its_scale(result: Result) -> None:
    options = compute(field("value.c", "'1.50'", type="DECIMAL"))
    assert result("compute", options, SimpleRecord('{"a":1}')).value() == '{"a":1,"c":1.50}'


FAILURES = [
    (field("value.c", "value.b", type="INT32"), "cannot"),
    (field("value.c", "value.n"), "null"),
    (field("value.c", "{1,2}"), "set"),
    (field("value.c", "12345678901234567890"), "too large"),
    (field("value", "value.m"), "fn:toJson"),
    (field("value", "value.l"), "fn:toJson"),
    (field("value", "value.n"), "null"),
    (field("properties.q", "value.n"), "null"),
    (field("messageKey", "value.n"), "null"),
    (field("destinationTopic", "value.n"), "null"),
    (field("value.c", "unknown"), "unknown"),
    (field("value.c", "value.b.deep"), "deep"),
    (field("value.c", "record"), "null"),
]


@pytest.mark.parametrize(("computed", "reason"), FAILURES)
def test_what_cannot_be_stored_fails_the_record(outcome: Outcome, computed: dict[str, Any], reason: str) -> None:
    failure = outcome("compute", compute(computed), structured())
    assert isinstance(failure, RecordError)
    assert computed["name"] in str(failure)
    assert reason in str(failure)


WHOLE: list[tuple[SimpleRecord, dict[str, Any], Any]] = [
    (structured(), field("value", "value.b"), "x"),
    (structured(), field("value", "value.a"), 1),
    (structured(), field("value", "value.m", type="STRING"), "{k=v}"),
    (structured(), field("value", "fn:toJson(value.m)"), '{"k":"v"}'),
    (text(), field("value", "fn:uppercase(value)"), "TEXT"),
    (text(), field("value", "42"), 42),
    (text(), field("value", "42", type="STRING"), "42"),
    (text(), field("value", "value", type="BYTES"), b"text"),
    (text(), field("value", "null", type="STRING"), None),
    (SimpleRecord(None, "k"), field("value", "'x'"), "x"),
    (SimpleRecord({"b": 1}), field("value", "value.b"), 1),
    (text(), field("value", "'2024-01-02T00:00:00Z'", type="INSTANT"), datetime(2024, 1, 2, tzinfo=UTC)),
]


@pytest.mark.parametrize(("record", "computed", "expected"), WHOLE)
def test_the_whole_value_is_replaced(
    result: Result, record: SimpleRecord, computed: dict[str, Any], expected: Any
) -> None:
    changed = result("compute", compute(computed), record)
    assert changed.value() == expected
    assert changed.key() == record.key()


KEYS: list[tuple[SimpleRecord, dict[str, Any], Any]] = [
    (structured(), field("key", "value.b"), "x"),
    (text(), field("key", "'nk'"), "nk"),
    (SimpleRecord("v"), field("key", "'nk'"), None),
    (structured(), field("key.c", "1"), '{"id":7,"c":1}'),
    (text(), field("key.c", "1"), "k"),
    (SimpleRecord("v"), field("key.c", "1"), None),
    (structured(), field("messageKey", "value.b"), "x"),
    (structured(), field("messageKey", "value.a"), "1"),
    (SimpleRecord("v"), field("messageKey", "'nk'"), "nk"),
]


@pytest.mark.parametrize(("record", "computed", "expected"), KEYS)
def test_the_key_is_set(result: Result, record: SimpleRecord, computed: dict[str, Any], expected: Any) -> None:
    assert result("compute", compute(computed), record).key() == expected


@pytest.mark.parametrize("value", ["text", "[1,2]", None, 5, "5"])
def test_members_of_what_is_not_structured_are_left_out(outcome: Outcome, value: Any) -> None:
    record = SimpleRecord(value, "k")
    assert outcome("compute", compute(field("value.c", "1"), field("key.c", "1")), record)[0] is record


HEADERS = [
    (field("properties.q", "value.b"), ("q", "x")),
    (field("properties.q", "value.a"), ("q", "1")),
    (field("properties.a.b", "'v'"), ("a.b", "v")),
    (field("properties.q", "5", type="INT32"), ("q", "5")),
]


@pytest.mark.parametrize(("computed", "header"), HEADERS)
def test_a_header_is_set(result: Result, computed: dict[str, Any], header: tuple[str, str]) -> None:
    assert result("compute", compute(computed), structured()).headers() == [("p", "1"), header]


def test_a_header_replaces_all_of_its_name(result: Result) -> None:
    record = SimpleRecord("v", None, [("a", "1"), ("x", b"\xff"), ("a", "2"), ("n", 5), ("a", "3")])
    changed = result("compute", compute(field("properties.a", "fn:concat(properties.a, '!')")), record)
    assert changed.headers() == [("a", "3!"), ("x", b"\xff"), ("n", 5)]


def test_the_destination_topic_stays_with_the_result(result: Result) -> None:
    changed = result("compute", compute(field("destinationTopic", "fn:concat('t-', value.b)")), structured())
    assert changed.destination == "t-x"
    assert changed.value() == structured().value()


def test_members_of_one_group_do_not_see_each_other(result: Result) -> None:
    options = compute(field("value.a", "value.a + 1"), field("value.z", "value.a"))
    assert json.loads(result("compute", options, structured()).value()) == {**OBJECT, "a": 2, "z": 1}


def test_groups_take_effect_in_their_order_not_in_that_of_the_file(result: Result) -> None:
    options = compute(
        field("properties.sum", "key.n + value.n"), field("value.n", "key.n * 2"), field("key.n", "key.n + 1")
    )
    changed = result("compute", options, SimpleRecord('{"n":0}', '{"n":1}'))
    assert (changed.key(), changed.value(), changed.headers()) == ('{"n":2}', '{"n":4}', [("sum", "6")])


def test_headers_come_after_the_value(outcome: Outcome) -> None:
    options = compute(field("properties.x", "'v'"), field("value.c", "properties.x"))
    assert isinstance(outcome("compute", options, structured()), RecordError)


def test_headers_see_those_set_before_them(result: Result) -> None:
    options = compute(field("properties.x", "'v'"), field("properties.y", "fn:concat(properties.x, 'w')"))
    assert result("compute", options, text()).headers() == [("p", "1"), ("x", "v"), ("y", "vw")]


def test_a_replaced_value_is_text_within_the_step(result: Result) -> None:
    options = compute(field("value", "fn:toJson(value.m)"), field("value.q", "1"))
    assert result("compute", options, structured()).value() == '{"k":"v"}'


def test_a_computed_text_leaves_as_it_was_computed(result: Result) -> None:
    assert result(
        "compute", compute(field("value", "value.json")), SimpleRecord({"json": '{ "a": 1.50 }'})
    ).value() == ('{ "a": 1.50 }')


def test_any_member_name_will_do_in_json_and_dots_mean_nothing(result: Result) -> None:
    options = compute(field("value.x.y", "1"), field("value.new-field", "2"))
    assert result("compute", options, SimpleRecord("{}")).value() == '{"x.y":1,"new-field":2}'


def test_bytes_stay_bytes_and_native_objects_stay_objects(result: Result) -> None:
    options = compute(field("value.c", "fn:str(value.l)"))
    assert result("compute", options, SimpleRecord(b'{"l":[1]}')).value() == b'{"l":[1],"c":"[1]"}'
    assert result("compute", options, SimpleRecord({"l": [1]})).value() == {"l": [1], "c": "[1]"}


def test_the_original_is_not_changed(result: Result) -> None:
    native = {"l": [1]}
    record = SimpleRecord(native, '{"a": 1.50}')
    result("compute", compute(field("value.l", "2"), field("key.a", "3")), record)
    assert native == {"l": [1]}
    assert record.key() == '{"a": 1.50}'


def test_a_false_condition_leaves_the_record_alone(outcome: Outcome) -> None:
    record = structured()
    options = compute(field("value.c", "1")) | {"when": "value.a == 2"}
    assert outcome("compute", options, record)[0] is record


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "'fields' is required"),
    ({"fields": [{"name": "value.a"}]}, "'fields[0].expression' is required"),
    (compute(field("value.a", "bad (")), "bad ("),
    (compute(field("value.a", "${value.a}")), "not a valid expression"),
    (compute(field("value.a", "1", typ="STRING")), "'fields[0].typ' is unknown"),
    (compute(field("value.a", "1", type="string")), "Did you mean 'STRING'?"),
    (compute(field("value.a", "1", type="ARRAY")), "'ARRAY' is not a type"),
    (compute(field("value.a", "1", type="MAP")), "'MAP' is not a type"),
    (compute(field("value", "value", type="DATE")), "cannot have the type DATE"),
    (compute(field("key", "value", type="DATE")), "cannot have the type DATE"),
    (compute(field("topicName", "'x'")), "'topicName' is not a field that can be set"),
    (compute(field("foo", "1")), "'foo' is not a field that can be set"),
    (compute(field("value.", "1")), "'value.' is not a field that can be set"),
    (compute(field("value.c", "1"), field("value.c", "2")), "the field 'value.c' is computed twice"),
]


@pytest.mark.parametrize(("options", "reason"), REFUSED)
def test_wrong_options_are_refused(
    refusals: Callable[[str, Mapping[str, Any]], list[Problem]], options: dict[str, Any], reason: str
) -> None:
    (problem,) = refusals("compute", options)
    assert reason in problem.message
