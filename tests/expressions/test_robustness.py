"""Whatever the text and whatever the record: a result or one of the two errors, never anything else."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langstream.expressions import (
    ExpressionError,
    ExpressionSyntaxError,
    SchemaType,
    coerce,
    compile_condition,
    compile_expression,
)
from langstream.expressions.documents import json_form, json_text
from langstream.expressions.functions import LIBRARY

PIECES = st.sampled_from(
    [
        *"+-*/%<>=!?:;,.()[]{} ",
        *["&&", "||", "==", "!=", "<=", ">=", "+=", "->", " and ", " or ", "not ", "empty ", " div ", " mod "],
        *["value", "key", "properties", "record", "x", ".a", "['a']", "[0]", "true", "null", "1", "2.5", "1e300"],
        *["99999999999999999999", "'t'", '"u"', "'2024-01-31'", "fn:", "class", "\\", "'", "é", "$", "#", "\n"],
        *[f"fn:{name}(" for name in LIBRARY if "." not in name],
        *[f"{name}(" for name in LIBRARY if "." in name],
    ]
)

LITERALS = st.sampled_from(
    [
        *[
            "value",
            "value.a",
            "value.s",
            "value.l",
            "value.m",
            "value.missing",
            "value.f",
            "value.big",
            "key",
            "record",
        ],
        *["null", "true", "0", "-1", "7", "2.5", "1e400", "1e999999", "'x'", "''", "'12'", "'2024-01-31'", "'days'"],
        *["fn:now()", "[]", "{}", "[1, 'a']", "{'k': 1}", "{1, 2}", "(x -> x)", "99999999999999999999", "'record'"],
        *["fn:decimalFromUnscaled(1, 900)", "fn:decimalFromUnscaled(1, -900)", "fn:emptyMap()", "value.s.bytes"],
    ]
)


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "*", "/", "%", "+=", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "?", ";"])
    names = st.sampled_from([name for name in LIBRARY if name != "uuid"])

    def call(name: str, arguments: list[str]) -> str:
        function = LIBRARY[name]
        count = max(function.least, min(len(arguments), function.most if function.most is not None else 4))
        given = (arguments * 4)[:count]
        prefix = "" if "." in name else "fn:"
        return f"{prefix}{name}({', '.join(given)})"

    return st.one_of(
        st.builds(
            lambda sign, left, right: f"({left}) ? ({right}) : 1" if sign == "?" else f"({left}) {sign} ({right})",
            operators,
            inner,
            inner,
        ),
        st.builds(lambda sign, operand: f"{sign}({operand})", st.sampled_from(["-", "!", "empty "]), inner),
        st.builds(lambda base, index: f"({base})[{index}]", inner, inner),
        st.builds(lambda base: f"({base}).a", inner),
        st.builds(call, names, st.lists(inner, min_size=1, max_size=4)),
    )


EXPRESSIONS = st.recursive(LITERALS, combined, max_leaves=8)
RECORD = {"a": 1, "s": "abc", "l": [1, None, "x", [2.5]], "m": {"a": {"a": 2}}, "f": 1.5, "big": 10**30, "t": True}


def record(value: Any = RECORD) -> Any:
    return SimpleNamespace(value=value, key="k", properties={"p": "1"}, record=None)


def attempt(text: str, value: Any = RECORD) -> None:
    for compiled in (compile_expression, compile_condition):
        with contextlib.suppress(ExpressionSyntaxError, ExpressionError):
            compiled(text)(record(value))


@given(st.lists(PIECES, max_size=12).map("".join))
@settings(max_examples=200, deadline=None)
def test_any_sequence_of_tokens_is_an_expression_or_refused(text: str) -> None:
    attempt(text)


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    attempt(text)


@given(EXPRESSIONS)
@settings(max_examples=300, deadline=None)
def test_any_well_formed_expression_gives_a_result_or_an_expression_error(text: str) -> None:
    try:
        outcome = compile_expression(text)(record())
    except (ExpressionError, ExpressionSyntaxError) as error:
        assert str(error)  # noqa: PT017
        return
    json_form(outcome)
    with contextlib.suppress(TypeError):  # lambdas have no JSON form
        json_text(outcome)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.binary(max_size=16)
    | st.decimals()
    | st.datetimes()
    | st.dates()
    | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(VALUES, st.sampled_from(SchemaType))
@settings(max_examples=300, deadline=None)
def test_any_value_becomes_the_declared_type_or_is_refused(value: Any, target: SchemaType) -> None:
    with contextlib.suppress(ExpressionError):
        coerce(value, target)


@given(VALUES, VALUES, st.sampled_from(["+", "-", "*", "/", "%", "+=", "==", "!=", "<", "<=", ">", ">="]))
@settings(max_examples=300, deadline=None)
def test_any_two_values_can_be_operands_or_are_refused(left: Any, right: Any, sign: str) -> None:
    with contextlib.suppress(ExpressionError):
        compile_expression(f"value.l {sign} value.r")(record({"l": left, "r": right}))


NESTED = {
    "brackets": "(" * 5000 + "1" + ")" * 5000,
    "lists": "[" * 5000 + "]" * 5000,
    "sets": "{" * 5000 + "}" * 5000,
    "minus": "-" * 5000 + "1",
    "not": "not " * 5000 + "true",
    "choices": "true ? 1 : " * 5000 + "1",
    "choices in the middle": "true ? " * 5000 + "1" + " : 1" * 5000,
    "sums": "1" + " + 1" * 5000,
    "members": "value" + ".a" * 5000,
    "indexes": "value[" * 5000 + "0" + "]" * 5000,
    "calls": "fn:str(" * 5000 + "1" + ")" * 5000,
    "lambdas": "x -> " * 5000 + "1",
    "assignments": "x = " * 5000 + "1",
    "sequences": "1;" * 5000 + "1",
    "mixed": "(1 + 2 * (3 - 4 % (" * 1000 + "1" + ")))" * 1000,
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED.keys())
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(ExpressionSyntaxError, match=r"deeper than|chains more than"):
        compile_expression(text)


def test_many_conditions_may_be_chained() -> None:
    text = " || ".join(f"value.a == {number}" for number in range(2, 90)) + " || value.a == 1"
    assert compile_expression(text)(record()) is True


def test_deeply_nested_data_has_a_text_or_an_error_of_its_own() -> None:
    value: Any = "x"
    for _ in range(5000):
        value = [value]
    with pytest.raises(ExpressionError) as failed:
        compile_expression("fn:str(value.l)")(record({"l": value}))
    assert failed.value.kind == "stack-overflow"


def test_endless_recursion_of_a_lambda_is_an_error() -> None:
    with pytest.raises(ExpressionError) as failed:
        compile_expression("f = (f -> f(f)); f(f)")(record())
    assert failed.value.kind == "stack-overflow"


def test_huge_decimals_do_not_take_huge_time() -> None:
    for text in ("fn:toLong(1e999999999)", "1e999999999 + 1", "1e999999999 % 7 == 1", "fn:str(1e999999999)"):
        attempt(text)
