"""What the original does, row by row; `DIFFERENT` lists where LangStream does something better on purpose."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from langstream.agents.working_record import WorkingRecord
from langstream.expressions import (
    ExpressionError,
    ExpressionSyntaxError,
    SchemaType,
    coerce,
    compile_condition,
    compile_expression,
)
from langstream.expressions.text import text_form
from langstream.records import SimpleRecord

FACTS = Path(__file__).parent / "facts"
NOW = "fn:timestampAdd('2024-01-02T03:04:05.678Z', 0, 'nanos')"

REFUSED = {"parse", "reserved-word", "unknown-function", "arity", "method-call-disabled"}
"""Kinds of errors that are found when the expression is compiled."""

TARGETS = {
    "String": SchemaType.STRING,
    "Integer": SchemaType.INT32,
    "Long": SchemaType.INT64,
    "Byte": SchemaType.INT8,
    "short": SchemaType.INT16,
    "Float": SchemaType.FLOAT,
    "Double": SchemaType.DOUBLE,
    "BigDecimal": SchemaType.DECIMAL,
    "Boolean": SchemaType.BOOLEAN,
    "byte[]": SchemaType.BYTES,
    "Instant": SchemaType.INSTANT,
    "Timestamp": SchemaType.TIMESTAMP,
    "LocalDate": SchemaType.LOCAL_DATE,
    "LocalTime": SchemaType.LOCAL_TIME,
    "LocalDateTime": SchemaType.LOCAL_DATE_TIME,
    "Time": SchemaType.TIME,
    "List": SchemaType.ARRAY,
}
CLASSES: dict[str, type] = {
    "Long": int,
    "Integer": int,
    "Short": int,
    "Byte": int,
    "BigInteger": int,
    "Double": float,
    "Float": float,
    "BigDecimal": Decimal,
    "list": list,
    "map": dict,
    "set": tuple,
    "byte[]": bytes,
}

DIFFERENT: dict[tuple[str, str | None], Any] = {
    # assignments do not touch the record; templates of several expressions are not expressions
    ("value.a = 5", None): ExpressionSyntaxError,
    ("value.a}-${value.s", None): ExpressionSyntaxError,
    # all integers are alike, so lists of equal numbers are equal
    ("value.list == [1,2,3]", None): True,
    # any number of arguments
    ("fn:concat('a')", None): "a",
    ("fn:concat()", None): "",
    ("fn:listOf(1)", None): [1],
    ("fn:listOf()", None): [],
    ("fn:mapOf()", None): {},
    # found when the expression is compiled
    ("fn:mapOf('a')", None): ExpressionSyntaxError,
    ("fn:mapOf('a',1,'b')", None): ExpressionSyntaxError,
    ("fn:replace('abc','[','x')", None): ExpressionSyntaxError,
    ("fn:replace('a','a','$1')", None): ExpressionSyntaxError,
    ("fn:timestampAdd(0,1,'weeks')", None): ExpressionSyntaxError,
    ("fn:timestampAdd(0,1,'days ')", None): ExpressionSyntaxError,
    # integers are exact
    ("fn:toLong('9007199254740993')", None): 9007199254740993,
    ("9007199254740993", "Long"): 9007199254740993,
    ("value.big", "BigDecimal"): Decimal(12345678901234567890),
    # milliseconds count as an instant however few they are
    ("fn:timestampAdd(value.a,1,'days')", None): "1970-01-02T00:00:00.001Z",
    ("value.a", "Instant"): "1970-01-01T00:00:00.001Z",
    ("value.a", "LocalTime"): "00:00:00.001",
    ("fn:toSQLTimestamp(1500)", "Double"): 1500.0,
    # dates in JSON are what compute stores
    (f"fn:toJson({NOW})", None): "1704164645678",
    # the condition of fn:filter sees the message everywhere
    ("fn:filter(value.docs,'value.a == 1')", None): [{"t": "a", "s": 0.9}, {"t": "b", "s": 0.1}, {"t": "c"}],
    # a kind of error that says what is wrong
    ("fn:addAll(null,'x')", None): "bad-argument",
    # a time keeps its fraction
    ("'10:15:30.123'", "Time"): "10:15:30.123",
}


def rows() -> list[Any]:
    return [
        pytest.param(json.loads(line), id=f"{path.stem}-{number}")
        for path in sorted(FACTS.glob("*.jsonl"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
    ]


def scope(name: str) -> WorkingRecord:
    parts = json.loads((FACTS / "records.json").read_text())[name]
    value = parts["value"]
    if isinstance(value, dict):
        value = value["$bytes"].encode()
    headers = list(parts.get("headers", {}).items())
    return WorkingRecord(SimpleRecord(value, parts.get("key"), headers, parts.get("origin"), parts.get("timestamp")))


def evaluate(text: str, target: str | None, record: WorkingRecord) -> Any:
    outcome = compile_expression(text)(record)
    return outcome if target is None else coerce(outcome, TARGETS[target])


def normal(expected: Any, kind: str | None) -> Any:
    """The row's notation of a result, as a Python value or the text of a date."""
    if kind == "set":
        return tuple(expected)
    if not isinstance(expected, dict):
        return Decimal(repr(expected)) if kind == "BigDecimal" else expected
    if "$bytes" in expected:
        return expected["$bytes"].encode()
    if "$bytes_hex" in expected:
        return bytes.fromhex(expected["$bytes_hex"])
    if "$double" in expected:
        return expected["$double"]
    if "$str" in expected:
        text = expected["$str"]
        return text.replace(" ", "T").removesuffix(".0") + "Z" if kind == "Timestamp" else text
    return expected


def comparable(outcome: Any, expected: Any) -> Any:
    """Dates and odd doubles are compared by their text."""
    if isinstance(expected, str) and not isinstance(outcome, str):
        return text_form(outcome)
    return outcome


@pytest.mark.parametrize("row", rows())
def test_the_expression_gives_what_the_original_gives_or_something_better(row: dict[str, Any]) -> None:
    record = scope(row.get("fx", "R1"))
    text = str(row.get("el", row.get("when"))).replace("fn:now()", NOW)
    target = row.get("to")
    if "when" in row:
        check_condition(row, text, record)
    elif (text, target) in DIFFERENT:
        check(text, target, record, DIFFERENT[text, target])
    elif "err" in row:
        check(text, target, record, ExpressionSyntaxError if row["err"] in REFUSED else Refusal(row["err"]))
    else:
        kind = row.get("t")
        outcome = check(text, target, record, normal(row["out"], kind))
        assert kind not in CLASSES or type(outcome) is CLASSES[kind]


class Refusal(str):
    """The kind of an error."""

    __slots__ = ()


def check(text: str, target: str | None, record: WorkingRecord, expected: Any) -> Any:
    if expected is ExpressionSyntaxError:
        with pytest.raises(ExpressionSyntaxError) as refused:
            compile_expression(text)
        assert refused.value.column > 0
        return None
    if isinstance(expected, Refusal) or expected == "bad-argument":
        with pytest.raises((ExpressionError, ExpressionSyntaxError)) as failed:
            evaluate(text, target, record)
        assert getattr(failed.value, "kind", "refused") == expected
        return None
    outcome = evaluate(text, target, record)
    assert comparable(outcome, expected) == expected
    return outcome


DIFFERENT_CONDITIONS = {
    # the condition of fn:filter sees the message
    "fn:length(fn:filter(value.list,'record > value.a')) == 0": False,
    "fn:length(fn:filter(value.list,'record > value.a')) == 2": False,
}


def check_condition(row: dict[str, Any], text: str, record: WorkingRecord) -> None:
    if row.get("err") in REFUSED:
        with pytest.raises(ExpressionSyntaxError):
            compile_condition(text)
    elif "err" in row:
        with pytest.raises(ExpressionError) as failed:
            compile_condition(text)(record)
        assert failed.value.kind == row["err"]
    else:
        assert compile_condition(text)(record) is DIFFERENT_CONDITIONS.get(text, row["out"])
