"""Generated functions do what the functions of the operators do, whatever the types."""

from __future__ import annotations

import math
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from langstream.expressions.errors import ExpressionError
from langstream.expressions.generation import ROOTS, Source, generated
from langstream.expressions.operators import BINARY
from langstream.expressions.syntax import Binary, Choice, Literal, Logic, Member, Name, Node

OPERANDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**66), 2**66),
    st.sampled_from([0, 2**63 - 1, -(2**63), 2**63, 10**400]),
    st.floats(),
    st.sampled_from(["", "5", "2.5", "text", "true"]),
    st.sampled_from([Decimal("1.10"), [1], {"a": 1}]),
)


def refuse(node: Node) -> Any:
    raise AssertionError(node)


def found(node: Node, value: Any = None) -> Any:
    return outcome(lambda: generated(node, refuse)(SimpleNamespace(value=value)))


def outcome(work: Any) -> Any:
    try:
        return comparable(work())
    except (ExpressionError, ArithmeticError, ValueError) as error:
        return type(error), str(error), getattr(error, "column", 0)


def comparable(result: Any) -> Any:
    return type(result), "nan" if isinstance(result, float) and math.isnan(result) else result


def expected(sign: str, left: Any, right: Any) -> Any:
    try:
        return comparable(BINARY[sign](left, right))
    except ExpressionError as error:
        return type(error), str(error), 7
    except (ArithmeticError, ValueError) as error:
        return type(error), str(error), 0


def member(name: str) -> Member:
    return Member(Name("value", 1), Literal(name, 1), True, 1)


@given(st.sampled_from(sorted(BINARY)), OPERANDS, OPERANDS)
@example("*", 2.5, 2)
@example("*", 10**400, 2.5)
@example("+", 2**63 - 1, 1)
@example("-", -(2**63), 1)
def test_an_operator_gives_the_same_for_members_and_for_literals(sign: str, left: Any, right: Any) -> None:
    wanted = expected(sign, left, right)
    value = {"left": left, "right": right}
    assert found(Binary(sign, member("left"), member("right"), 7), value) == wanted
    if isinstance(right, str | int | float | None):
        assert found(Binary(sign, member("left"), Literal(right, 3), 7), value) == wanted
    if isinstance(left, str | int | float | None):
        assert found(Binary(sign, Literal(left, 1), member("right"), 7), value) == wanted


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (True, False, False, True),
        (True, None, None, True),
        ("true", "false", False, True),
        (False, [], False, "error"),
        (True, [], "error", True),
        (None, True, "error", "error"),
    ],
)
def test_the_right_side_matters_only_where_the_left_one_leaves_it_open(
    left: Any, right: Any, both: Any, either: Any
) -> None:
    value = {"left": left, "right": right}
    for sign, wanted in (("&&", both), ("||", either)):
        result = found(Logic(sign, (member("left"), member("right")), 5), value)
        assert result[0] is ExpressionError if wanted == "error" else result == comparable(wanted)


def test_only_the_chosen_side_is_evaluated() -> None:
    wrong = Member(member("text"), Literal("x", 9), True, 9)
    choice = Choice(member("flag"), member("number"), wrong, 1)
    assert found(choice, {"flag": True, "number": 1, "text": "t"}) == (int, 1)
    assert found(choice, {"flag": "false", "number": 1, "text": "t"})[2] == 9


def test_decisions_nest_as_deep_as_expressions_may() -> None:
    node: Node = Literal("end", 1)
    for _ in range(60):
        node = Choice(member("flag"), node, Literal("no", 1), 1)
    assert found(node, {"flag": True}) == (str, "end")


@pytest.mark.parametrize("text", ['"; raise SystemExit', "\\", "c1", "t1", "\n", "{", "}", "scope"])
def test_nothing_a_user_wrote_is_in_the_source(text: str) -> None:
    source = Source(refuse)
    source.write(Binary("+=", Member(Name("value", 1), Literal(text, 1), False, 1), Literal(text, 1), 1), 1)
    plain = Source(refuse)
    plain.write(Binary("+=", Member(Name("value", 1), Literal("x", 1), False, 1), Literal("x", 1), 1), 1)
    assert source.text() == plain.text()
    assert found(Member(Name("value", 1), Literal(text, 1), False, 1), {text: "found"}) == (str, "found")


def test_roots_that_a_scope_lacks_are_null() -> None:
    for root in ROOTS:
        assert generated(Name(root, 1), refuse)(object()) is None
