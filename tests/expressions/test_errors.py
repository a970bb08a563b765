"""Errors say what is wrong, where, and what to do."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from langstream.errors import RecordError
from langstream.expressions import ExpressionError, ExpressionSyntaxError, compile_condition, compile_expression


def refusal(text: str) -> ExpressionSyntaxError:
    with pytest.raises(ExpressionSyntaxError) as refused:
        compile_expression(text)
    return refused.value


def failure(text: str, **value: Any) -> ExpressionError:
    with pytest.raises(ExpressionError) as failed:
        compile_expression(text)(SimpleNamespace(value=value))
    return failed.value


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "the expression is empty", 1),
        ("  ", "the expression is empty", 1),
        ("value.b +", "expected a value, but the expression ends", 10),
        ("value.a value.b", "expected an operator or the end, but found value", 9),
        ("${value.a}", "written without ${ }", 1),
        ("value.class", "write ['class'] in place of .class", 7),
        ("value.empty", "write ['empty'] in place of .empty", 7),
        ("value.and", "write ['and'] in place of .and", 7),
        ("value.list.1", "write [1] or ['1'] in place of .1", 11),
        ("class", "class is a reserved word", 1),
        ("'abc", "no closing '", 1),
        (r"'a\nb'", r"\n is not an escape", 3),
        ("12abc", "12abc is not a number", 1),
        ("1.2.3", "1.2.3 is not a number", 1),
        ("value.a & 1", "and is written &&", 9),
        ("value.a == 1 # note", "there are no comments", 14),
        ("fn:uppercas('a')", "did you mean fn:uppercase(x)?", 1),
        ("fn:tojson('a')", "did you mean fn:toJson(x)?", 1),
        ("fn:zzzzz('a')", "there are addAll, coalesce", 1),
        ("uppercase('a')", "functions are called as fn:name(…)", 1),
        ("fn:trim()", "fn:trim(x) takes 1 argument, but 0 are given", 1),
        ("fn:concat3('a')", "takes 3 arguments, but 1 is given", 1),
        ("fn:now(1)", "takes no arguments", 1),
        ("value.s.toUpperCase()", "methods cannot be called", 9),
        ("System.exit(0)", "methods cannot be called", 8),
        ("Math.sin(1)", "of Math there are abs", 1),
        ("Integer.valueOf(1)", "use fn:toInt(x)", 1),
        ("Integer('5')", "there is no function Integer()", 1),
        ("value.a = 5", "cannot change the record", 9),
        ("value = 5", "cannot change the record", 7),
        ("record -> 1", "a parameter cannot be called record", 1),
        ("a ? b", "expected : and the other result", 6),
        ("fn:concat('a' 'b')", "expected ) or a comma, but found 'b'", 15),
        ("fn:filter(value.l, 'record >')", "the condition of fn:filter: expected a value", 20),
        ("fn:timestampAdd(0, 1, 'weeks')", "expected years, months, days", 1),
        ("9" * 1001, "1000 digits", 1),
        ("1 + 1e30099999999999999999999", "is beyond all numbers", 5),
    ],
)
def test_a_text_that_is_no_expression_is_refused_with_a_reason_and_a_place(
    text: str, message: str, column: int
) -> None:
    error = refusal(text)
    assert message in str(error)
    assert error.column == column


def test_the_place_is_shown_below_the_line() -> None:
    message = str(refusal("value.a +\n value.b *"))
    assert message.splitlines()[-2:] == ["   value.b *", "            ^"]


def test_a_place_far_to_the_right_is_shown_with_its_surroundings() -> None:
    text = " + ".join(["value.a"] * 20) + " +"
    line, caret = str(refusal(text)).splitlines()[-2:]
    assert len(line) < 80
    assert caret.index("^") <= len(line)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("value.s + 1", "not-a-number", "the text 'abc' is not a number"),
        ("value.t + 1", "cannot-convert", "the boolean true cannot become a number"),
        ("value.s.x", "property-not-found", "the text 'abc' has no member x (it is not a JSON object)"),
        ("value.l.x", "not-a-number", "is not a position in a list"),
        ("nobody", "property-not-found", "there is no nobody (text is written 'nobody')"),
        ("value.n % 0", "div-by-zero", "division by zero"),
        ("value.n ? 1 : 2", "cannot-convert", "the number 7 is not a condition"),
        ("value.zz && true", "null-boolean", "the condition is null"),
        ("value.l < value.m", "not-comparable", "a list < a map cannot be decided"),
        ("fn:toInt(value.s)", "cannot-convert", "fn:toInt: the text 'abc' cannot become INT32"),
        ("fn:listAdd(value.s, 1)", "bad-argument", "fn:listAdd expects a list, not the text 'abc'"),
        ("fn:fromJson('{')", "json-read", "fn:fromJson cannot read the text '{'"),
        ("fn:timestampAdd('yesterday', 1, 'days')", "bad-date", "expected text such as 2024-01-31T12:00:00Z"),
        ("fn:filter(value.l, value.l)", "parse", "the condition of fn:filter"),
    ],
)
def test_an_expression_that_fails_says_why(text: str, kind: str, message: str) -> None:
    error = failure(text, s="abc", t=True, l=["1 +"], m={}, n=7)
    assert isinstance(error, RecordError)
    assert error.retryable is False
    assert error.kind == kind
    assert message in str(error)
    assert text in str(error)


def test_the_place_of_a_failure_is_the_innermost() -> None:
    assert failure("value.a + (1 + 'x')", a=1).column == 14
    assert "column 14" in str(failure("value.a + (1 + 'x')", a=1))


def test_long_values_and_expressions_are_cut() -> None:
    error = failure("value.s + 1" + " + 0" * 90, s="x" * 10_000)
    assert len(str(error)) < 400


def test_a_condition_that_is_false_for_want_of_a_member_says_so_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="langstream.expressions"):
        assert compile_condition("value.x == 1")(SimpleNamespace(value="words")) is False
    assert "has no member x" in caplog.text


def test_failures_do_not_show_the_inner_workings() -> None:
    assert failure("value.s + 1", s="abc").__suppress_context__
