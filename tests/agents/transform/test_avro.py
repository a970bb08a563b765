"""Transforms of Avro records: the data changes, and its schema with it."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from langstream.errors import RecordError
from langstream.records import AvroValue, SimpleRecord

Result = Callable[..., SimpleRecord]
Outcome = Callable[..., Any]

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "namespace": "ns",
    "doc": "of tests",
    "fields": [
        {"name": "a", "type": "string", "doc": "first"},
        {
            "name": "n",
            "type": {
                "type": "record",
                "name": "N",
                "fields": [
                    {"name": "x", "type": "int"},
                    {"name": "o", "type": ["null", "string"], "default": None},
                    {
                        "name": "d",
                        "type": {"type": "record", "name": "D", "fields": [{"name": "y", "type": "double"}]},
                    },
                ],
            },
        },
        {
            "name": "u",
            "type": ["null", {"type": "record", "name": "U", "fields": [{"name": "z", "type": "int"}]}],
            "default": None,
        },
        {"name": "arr", "type": {"type": "array", "items": "int"}},
        {"name": "m", "type": {"type": "map", "values": "string"}},
        {"name": "dt", "type": {"type": "int", "logicalType": "date"}},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
DATA: dict[str, Any] = {
    "a": "A",
    "n": {"x": 1, "o": None, "d": {"y": 2.5}},
    "u": None,
    "arr": [1, 2],
    "m": {"k": "v"},
    "dt": date(2024, 1, 2),
    "ts": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
}


def avro(**changes: Any) -> AvroValue:
    return AvroValue(copy.deepcopy(SCHEMA), copy.deepcopy(DATA) | changes)


def written(value: Any) -> Any:
    """What a consumer reads of the value: proof that data and schema fit."""
    assert isinstance(value, AvroValue)
    schema = fastavro.parse_schema(copy.deepcopy(dict(value.schema)))
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value.value, strict=True)
    out.seek(0)
    return fastavro.schemaless_reader(out, schema, None)


def types(value: AvroValue) -> dict[str, Any]:
    return {field["name"]: field["type"] for field in value.schema["fields"]}


def compute(name: str, expression: str, **more: Any) -> dict[str, Any]:
    return {"fields": [{"name": name, "expression": expression, **more}]}


FLAT = {
    "a": "A",
    "n_x": 1,
    "n_o": None,
    "n_d_y": 2.5,
    "u_z": None,
    "arr": [1, 2],
    "m": {"k": "v"},
    "dt": DATA["dt"],
    "ts": DATA["ts"],
}


def test_a_record_is_flattened_with_its_schema(result: Result) -> None:
    value = result("flatten", {"part": "value"}, SimpleRecord(avro())).value()
    assert written(value) == FLAT
    assert (value.schema["name"], value.schema["namespace"], value.schema["doc"]) == ("R", "ns", "of tests")
    assert types(value) | {"n_x": "int", "n_d_y": "double", "n_o": ["null", "string"], "u_z": ["null", "int"]} == types(
        value
    )


def test_what_is_below_a_null_is_null(result: Result) -> None:
    value = result("flatten", {"part": "value"}, SimpleRecord(avro(u={"z": 4}))).value()
    assert written(value)["u_z"] == 4


def test_both_parts_are_flattened(result: Result) -> None:
    changed = result("flatten", {"delimiter": "__"}, SimpleRecord(avro(), avro()))
    assert written(changed.key()) == written(changed.value())
    assert "n__d__y" in written(changed.key())


def test_a_record_that_contains_itself_cannot_be_flattened(outcome: Outcome) -> None:
    schema = {
        "type": "record",
        "name": "Node",
        "fields": [{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "Node"]}],
    }
    failure = outcome("flatten", None, SimpleRecord(AvroValue(schema, {"v": 1, "next": None})))
    assert isinstance(failure, RecordError)
    assert "contains itself" in str(failure)


def test_fields_are_dropped_with_their_types(result: Result) -> None:
    value = result("drop-fields", {"fields": ["a", "n", "u", "m", "zz"]}, SimpleRecord(avro())).value()
    assert written(value) == {"arr": [1, 2], "dt": DATA["dt"], "ts": DATA["ts"]}


def test_a_record_without_the_fields_keeps_its_schema(outcome: Outcome) -> None:
    record = SimpleRecord(avro())
    assert outcome("drop-fields", {"fields": ["zz"]}, record)[0] is record


def test_a_type_defined_by_a_dropped_field_is_kept_for_those_that_name_it(result: Result) -> None:
    schema = {
        "type": "record",
        "name": "R",
        "namespace": "ns",
        "fields": [
            {"name": "first", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
            {"name": "second", "type": ["null", "E"]},
            {"name": "third", "type": "ns.E"},
        ],
    }
    record = SimpleRecord(AvroValue(schema, {"first": "A", "second": "B", "third": "A"}))
    assert written(result("drop-fields", {"fields": ["first"]}, record).value()) == {"second": "B", "third": "A"}


def test_values_of_the_value_win_a_merge(result: Result) -> None:
    key = AvroValue(
        {"type": "record", "name": "K", "fields": [{"name": "a", "type": "int"}, {"name": "id", "type": "int"}]},
        {"a": 9, "id": 7},
    )
    changed = result("merge-key-value", None, SimpleRecord(avro(), key))
    assert changed.key() == key
    assert written(changed.value()) == {"id": 7, **DATA}
    assert next(iter(types(changed.value()))) == "id"
    assert changed.value().schema["name"] == "R"


def test_a_merge_of_avro_and_anything_else_changes_nothing(outcome: Outcome) -> None:
    for record in (SimpleRecord(avro(), '{"a": 1}'), SimpleRecord('{"a": 1}', avro())):
        assert outcome("merge-key-value", None, record)[0] is record


def test_a_merge_of_types_that_differ_fails_the_record(outcome: Outcome) -> None:
    inner = {"type": "record", "name": "N", "namespace": "ns", "fields": [{"name": "other", "type": "int"}]}
    key = AvroValue({"type": "record", "name": "K", "fields": [{"name": "k", "type": inner}]}, {"k": {"other": 1}})
    failure = outcome("merge-key-value", None, SimpleRecord(avro(), key))
    assert isinstance(failure, RecordError)
    assert "'ns.N' is defined in two ways" in str(failure)


def test_the_key_becomes_the_value(result: Result) -> None:
    changed = result("unwrap-key-value", {"unwrapKey": True}, SimpleRecord("text", avro()))
    assert (changed.key(), changed.value()) == (None, avro())


def test_a_cast_to_string_is_the_json_of_the_record(result: Result) -> None:
    changed = result("cast", {"schema-type": "STRING", "part": "value"}, SimpleRecord(avro()))
    assert changed.value() == (
        '{"a":"A","n":{"x":1,"o":null,"d":{"y":2.5}},"u":null,"arr":[1,2],"m":{"k":"v"},"dt":19724,"ts":1704164645000}'
    )


def test_computed_fields_keep_their_place_and_new_ones_come_last(result: Result) -> None:
    options = {
        "fields": [
            {"name": "value.c", "expression": "value.n.x + 1", "type": "INT32"},
            {"name": "value.d2", "expression": "value.dt"},
            {"name": "value.t2", "expression": "value.ts", "type": "STRING", "optional": False},
            {"name": "value.a", "expression": "fn:lowercase(value.a)", "type": "STRING", "optional": False},
        ]
    }
    value = result("compute", options, SimpleRecord(avro())).value()
    added = {"c": 2, "d2": date(2024, 1, 2), "t2": "2024-01-02T03:04:05Z", "a": "a"}
    assert written(value) == DATA | added
    assert list(types(value)) == [*DATA, "c", "d2", "t2"]
    assert types(value)["c"] == ["null", "int"]
    assert types(value)["a"] == "string"


INFERRED: list[tuple[str, Any]] = [
    ("value.n", DATA["n"]),
    ("value.n.d", {"y": 2.5}),
    ("value.arr", [1, 2]),
    ("value.m", {"k": "v"}),
    ("fn:mapOf('x', 'y')", {"x": "y"}),
    ("fn:mapOf('x', 1, 'y', 'z', 'n', null)", {"x": 1, "y": "z", "n": None}),
    ("[1, 2.5, null]", [1, 2.5, None]),
    ("[[1], ['a', null]]", [[1], ["a", None]]),
    ("fn:emptyList()", []),
    ("true", True),
    ("value.ts", DATA["ts"]),
    ("fn:decimalFromUnscaled(150, 2)", Decimal("1.50")),
]


@pytest.mark.parametrize(("expression", "expected"), INFERRED)
def test_the_type_follows_the_result(result: Result, expression: str, expected: Any) -> None:
    assert written(result("compute", compute("value.c", expression), SimpleRecord(avro())).value())["c"] == expected


def test_the_schema_follows_a_type_that_changes_between_records(make: Callable[..., Any]) -> None:
    shared = copy.deepcopy(SCHEMA)
    records = [SimpleRecord(AvroValue(shared, DATA), key) for key in ('{"x":1}', '{"x":"t"}', '{"x":2}')]
    outcomes = make("compute", compute("value.c", "key.x")).process_batch(records)
    values = [results[0].value() for results in outcomes]
    assert [written(value)["c"] for value in values] == [1, "t", 2]
    assert values[0].schema is values[2].schema


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (compute("value.c", "null", type="STRING", optional=False), "not optional"),
        (compute("value.c", "null"), "null"),
        (compute("value.new-field", "1"), "cannot be an Avro field"),
        (compute("value.x.y", "1"), "cannot be an Avro field"),
    ],
)
def test_what_avro_cannot_hold_fails_the_record(outcome: Outcome, options: dict[str, Any], reason: str) -> None:
    failure = outcome("compute", options, SimpleRecord(avro()))
    assert isinstance(failure, RecordError)
    assert reason in str(failure)


def test_null_is_stored_where_the_field_is_optional(result: Result) -> None:
    options = compute("value.c", "null", type="DECIMAL")
    assert written(result("compute", options, SimpleRecord(avro())).value())["c"] is None


def test_a_whole_avro_value_is_not_replaced(outcome: Outcome) -> None:
    record = SimpleRecord(avro())
    assert outcome("compute", compute("value", "value.a"), record)[0] is record


def test_a_field_of_the_key_is_computed(result: Result) -> None:
    changed = result("compute", compute("key.c", "key.n.x + 1"), SimpleRecord("v", avro()))
    assert written(changed.key())["c"] == 2


def test_schemas_parsed_by_fastavro_serve_as_well(result: Result) -> None:
    parsed: Any = fastavro.parse_schema(copy.deepcopy(SCHEMA))
    value = result("drop-fields", {"fields": ["n"]}, SimpleRecord(AvroValue(parsed, DATA))).value()
    assert "n" not in written(value)
    assert parsed == fastavro.parse_schema(copy.deepcopy(SCHEMA))
