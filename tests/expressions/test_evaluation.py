"""What expressions see and give."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.expressions import ExpressionError, compile_condition, compile_expression
from langstream.records import AvroValue


def evaluate(text: str, scope: Any = None, **value: Any) -> Any:
    return compile_expression(text)(SimpleNamespace(value=value) if scope is None else scope)


def test_attributes_the_scope_lacks_are_null() -> None:
    for root in ("value", "key", "properties", "topicName", "eventTime", "messageKey", "destinationTopic", "record"):
        assert evaluate(root, object()) is None
        assert evaluate(f"{root}.x", object()) is None
        assert evaluate(f"{root}.x.y.z", object()) is None
        assert evaluate(f"{root}.x == 1", object()) is False
        assert evaluate(f"{root} == 'x'", object()) is False


def test_a_key_that_is_null_shows_the_message_key() -> None:
    assert evaluate("key", SimpleNamespace(key=None, message_key="mk")) == "mk"
    assert evaluate("key.id", SimpleNamespace(key=None, message_key={"id": 1})) == 1
    assert evaluate("key", SimpleNamespace(key="k", message_key="mk")) == "k"


def test_members_of_avro_values_are_reached_like_those_of_maps() -> None:
    content = {"a": "A", "n": {"x": 1, "o": None}, "dt": date(2024, 1, 2), "ts": datetime(2024, 1, 2, tzinfo=UTC)}
    scope = SimpleNamespace(value=AvroValue({"type": "record", "name": "R", "fields": []}, content))
    assert evaluate("value.n.x + 1", scope) == 2
    assert evaluate("value.n['o']", scope) is None
    assert evaluate("value.missing.x", scope) is None
    assert evaluate("value.dt += ''", scope) == "2024-01-02"
    assert evaluate("value.ts += ''", scope) == "2024-01-02T00:00:00Z"
    assert evaluate("fn:mapPut(value, 'a', 1).a", scope) == 1
    assert evaluate("fn:toJson(value.n)", scope) == '{"x":1,"o":null}'
    assert evaluate("fn:toJson(value)", scope).startswith('{"a":"A"')
    assert evaluate("empty value", scope) is False
    assert evaluate("value == value", scope) is True
    assert evaluate("value", scope) is scope.value


def test_dates_have_a_few_members() -> None:
    moment = datetime(2024, 2, 29, 13, 5, 6, 700000, UTC)
    assert evaluate("value.t.year", t=moment) == 2024
    assert evaluate("value.t.epochSecond", t=moment) == 1709211906
    assert evaluate("value.t.nano", t=moment) == 700_000_000
    assert evaluate("value.t.hour", t=moment.replace(tzinfo=None)) == 13
    assert evaluate("value.t.monthValue", t=date(2024, 2, 29)) == 2
    assert evaluate("value.t.dayOfYear", t=date(2024, 2, 29)) == 60
    assert evaluate("value.t.minute", t=time(13, 5)) == 5


def test_variables_live_for_one_evaluation() -> None:
    expression = compile_expression("empty value.first ? x : (x = value.n; x)")
    assert expression(SimpleNamespace(value={"first": True, "n": 5})) == 5
    with pytest.raises(ExpressionError) as failed:
        expression(SimpleNamespace(value={}))
    assert failed.value.kind == "property-not-found"


def test_lambdas_take_arguments_and_see_variables() -> None:
    assert evaluate("(x, y) -> x + y", n=1)(1, 2) == 3
    assert evaluate("((x, y) -> x * y)(3, 4)") == 12
    assert evaluate("add = x -> y -> x + y; add(value.n)(2)", n=1) == 3
    assert evaluate("() -> 7")() == 7
    assert evaluate("n = 10; f = x -> x + n; f(value.n)", n=1) == 11


def test_a_lambda_called_with_too_few_arguments_is_an_error() -> None:
    with pytest.raises(ExpressionError) as failed:
        evaluate("((x, y) -> x)(1)")
    assert failed.value.kind == "arity"


def test_what_is_not_a_lambda_cannot_be_called() -> None:
    with pytest.raises(ExpressionError, match="the number 5 cannot be called"):
        evaluate("x = 5; x(1)")


def test_the_record_is_never_changed() -> None:
    value = {"l": [1, 2], "m": {"a": 1}}
    for text in ("fn:listAdd(value.l, 3)", "fn:addAll(value.l, value.l)", "fn:mapPut(value.m, 'b', 2)"):
        evaluate(text, SimpleNamespace(value=value))
    evaluate("fn:mapRemove(value.m, 'a')", SimpleNamespace(value=value))
    assert value == {"l": [1, 2], "m": {"a": 1}}


def test_literal_lists_are_new_each_time() -> None:
    expression = compile_expression("[1, [2]]")
    first, second = expression(SimpleNamespace()), expression(SimpleNamespace())
    assert first == second == [1, [2]]
    assert first is not second


def test_sets_keep_their_order_and_no_duplicates() -> None:
    assert evaluate("{3, 1, 3, '1', true}") == (3, 1, "1", True)


def test_filter_sees_the_item_and_the_message() -> None:
    value = {"docs": [{"s": 1}, None, {"s": 3}], "limit": 2, "rule": "record.s > value.limit"}
    scope = SimpleNamespace(value=value, properties={"p": "x"}, record="outer")
    assert evaluate("fn:filter(value.docs, 'record.s > value.limit')", scope) == [{"s": 3}]
    assert evaluate("fn:filter(value.docs, value.rule)", scope) == [{"s": 3}]
    assert evaluate("fn:filter(value.docs, \"properties.p == 'x'\")", scope) == [{"s": 1}, {"s": 3}]
    assert evaluate("fn:filter([[1, 5], [2]], \"empty fn:filter(record, 'record > 4')\")", scope) == [[2]]
    assert evaluate("record", scope) == "outer"


def test_filter_drops_items_without_the_member() -> None:
    assert evaluate("fn:filter(value.l, 'record.x == 1')", l=["text", {"x": 1}]) == [{"x": 1}]


def test_conditions_of_sets_can_be_filtered() -> None:
    assert evaluate("fn:filter({1, 2, 3}, 'record > 1')") == [2, 3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Math.max(1, 2.5)", 2.5),
        ("Math.min('3', 4)", 3),
        ("Math.abs(-3)", 3),
        ("Math.round(2.5)", 3),
        ("Math.round(-2.5)", -2),
        ("Math.floor(-2.5)", -3.0),
        ("Math.ceil(2.1)", 3.0),
        ("Math.sqrt(9)", 3.0),
        ("Math.pow(2, 10)", 1024.0),
        ("Math.pow(10, 1000)", float("inf")),
        ("Long.MAX_VALUE", 2**63 - 1),
        ("Double.parseDouble('1.5')", 1.5),
        ("String.valueOf(null)", "null"),
    ],
)
def test_some_names_of_java_are_kept(text: str, expected: Any) -> None:
    assert evaluate(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e308 * 10", float("inf")),
        ("-5 % 3.5", -1.5),
        ("1e400 > 1e300", True),
        ("99999999999999999999 / 3", "33333333333333333333"),
        ("99999999999999999999 / 4 == 24999999999999999999.75", False),  # the literal is a double
        ("fn:decimalFromNumber(0.1) + 0.2 == 0.3", True),
        ("-9223372036854775807 - 2", 2**63 - 1),
        ("3037000500 * 3037000500", 9223372037000250000 - 2**64),
        ("99999999999999999999 - 99999999999999999990", 9),
        ("'99999999999999999999' + 1", 10**20),
        ("0.1 + 0.2 == 0.3", False),
        ("1 == true", None),
        ("'😀' == '😀'", True),
        ("fn:length('😀')", 2),
    ],
)
def test_corner_cases_of_numbers(text: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(ExpressionError):
            evaluate(text)
    elif isinstance(expected, str):
        assert str(evaluate(text)).startswith(expected)
    else:
        assert evaluate(text) == expected


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_sums_of_64_bits_have_64_bits(left: int, right: int) -> None:
    total = evaluate("value.l + value.r", l=left, r=right)
    assert -(2**63) <= total < 2**63
    assert (total - left - right) % 2**64 == 0


@given(st.integers(), st.integers().filter(bool))
def test_remainders_have_the_sign_of_the_dividend(left: int, right: int) -> None:
    rest = evaluate("value.l % value.r", l=left, r=right)
    assert abs(rest) < abs(right)
    assert rest == 0 or (rest < 0) == (left < 0)
    assert (left - rest) % right == 0


SCALARS = st.one_of(st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.booleans())


@given(
    SCALARS,
    st.one_of(st.integers(-5, 5), st.sampled_from([0.5, 1.0, "1", "true", "x"])),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
)
def test_fast_comparisons_with_literals_agree_with_the_general_ones(found: Any, constant: Any, sign: str) -> None:
    literal = f"'{constant}'" if isinstance(constant, str) else str(constant)

    def result(text: str) -> Any:
        try:
            return evaluate(text, a=found, b=constant)
        except ExpressionError as error:
            return error.kind

    general = result(f"value.a {sign} value.b")
    assert result(f"value.a {sign} {literal}") == general
    assert result(f"value['a'] {sign} {literal}") == general
    assert result(f"(value).a {sign} ({literal})") == general


def test_conditions_convert_as_choices_do() -> None:
    scope = SimpleNamespace(value={"yes": "TRUE", "no": "yes", "b": b"\1"})
    assert compile_condition("value.yes")(scope) is True
    assert compile_condition("value.no")(scope) is False
    assert compile_condition("value.b")(scope) is True
