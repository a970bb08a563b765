"""The operators: what they do with every combination of types."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Context, Decimal, InvalidOperation, Overflow
from typing import Any, Final

from langstream.expressions.errors import ExpressionError
from langstream.expressions.numbers import (
    INT64_MAX,
    INT64_MIN,
    Number,
    as_decimal,
    as_float,
    comparable_number,
    operand,
    wrapped,
)
from langstream.expressions.text import text_form
from langstream.expressions.types import to_boolean
from langstream.expressions.wording import described
from langstream.records import AvroValue

_DECIMALS: Final = Context(prec=100, Emin=-999_999_999, Emax=999_999_999, traps=[InvalidOperation, Overflow])
_NUMBERS: Final = (int, float, Decimal)
_ORDERED: Final = (bool, date, time)

# --- arithmetic


def add(left: Any, right: Any) -> Number:
    """`+`: numbers only; text is joined with `+=`."""
    if type(left) is int and type(right) is int:
        return _fitting(left + right, left, right)
    if type(left) is float and type(right) is float:
        return left + right
    return _calculated(operand(left), operand(right), operator.add, _DECIMALS.add)


def subtract(left: Any, right: Any) -> Number:
    """`-`."""
    if type(left) is int and type(right) is int:
        return _fitting(left - right, left, right)
    if type(left) is float and type(right) is float:
        return left - right
    return _calculated(operand(left), operand(right), operator.sub, _DECIMALS.subtract)


def multiply(left: Any, right: Any) -> Number:
    """`*`."""
    if type(left) is int and type(right) is int:
        return _fitting(left * right, left, right)
    if type(left) is float and type(right) is float:
        return left * right
    return _calculated(operand(left), operand(right), operator.mul, _DECIMALS.multiply)


def _fitting(result: int, left: int, right: int) -> int:
    """Integers of 64 bits give one of 64 bits; longer ones give one as long as it needs to be."""
    if INT64_MIN <= result <= INT64_MAX or _is_big(left) or _is_big(right):
        return result
    return wrapped(result)


def _calculated(
    left: Number,
    right: Number,
    calculate: Callable[[Any, Any], Any],
    calculate_decimal: Callable[[Decimal, Decimal], Decimal],
) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return _fitting(calculate(left, right), left, right)
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return calculate_decimal(as_decimal(left), as_decimal(right))
    return calculate(as_float(left), as_float(right))  # type: ignore[no-any-return]


def _is_big(number: Number) -> bool:
    return not INT64_MIN <= number <= INT64_MAX


def divide(left: Any, right: Any) -> Number:
    """`/`: a double, infinite or not a number for a divisor of zero; a decimal if decimals or big numbers take part."""
    dividend, divisor = operand(left), operand(right)
    if _wants_decimal(dividend) or _wants_decimal(divisor):
        if not divisor:
            raise ExpressionError("div-by-zero", "a decimal or very large number cannot be divided by zero")
        return _DECIMALS.divide(as_decimal(dividend), as_decimal(divisor))
    quotient, by = as_float(dividend), as_float(divisor)
    if by:
        return quotient / by
    if not quotient or quotient != quotient:
        return math.nan
    return math.copysign(math.inf, quotient) * math.copysign(1.0, by)


def _wants_decimal(number: Number) -> bool:
    return isinstance(number, Decimal) or (type(number) is int and _is_big(number))


def remainder(left: Any, right: Any) -> Number:
    """`%`: has the sign of the dividend."""
    dividend, divisor = operand(left), operand(right)
    if float in (type(dividend), type(divisor)) and Decimal not in (type(dividend), type(divisor)):
        return _float_remainder(as_float(dividend), as_float(divisor))
    if not divisor:
        raise ExpressionError("div-by-zero", "the remainder of a division by zero is undefined")
    if isinstance(dividend, int) and isinstance(divisor, int):
        rest = abs(dividend) % abs(divisor)
        return -rest if dividend < 0 else rest
    return _DECIMALS.remainder(as_decimal(dividend), as_decimal(divisor))


def _float_remainder(dividend: float, divisor: float) -> float:
    if not divisor or math.isinf(dividend):
        return math.nan
    return math.fmod(dividend, divisor)


def negate(value: Any) -> Number:
    """Unary `-`."""
    number = operand(value)
    if type(number) is int and not _is_big(number):
        return wrapped(-number)
    return -number


def join(left: Any, right: Any) -> str:
    """`+=`: the texts of both sides; null is `null`."""
    return text_form(left) + text_form(right)


# --- comparison


def equal(left: Any, right: Any) -> bool:
    """`==`: a number equals the text that denotes it, a boolean the text that names it; null only null."""
    if left is right:
        return True
    if left is None or right is None:
        return False
    kind, other = type(left), type(right)
    if kind is str and other is str:
        return bool(left == right)
    if kind in _NUMBERS or other in _NUMBERS:
        return _ordered(comparable_number(left), comparable_number(right), operator.eq)
    if kind is bool or other is bool:
        return to_boolean(left) is to_boolean(right)
    if kind is str or other is str:
        return text_form(left) == text_form(right)
    return bool(_content(left) == _content(right))


def not_equal(left: Any, right: Any) -> bool:
    """`!=`."""
    return not equal(left, right)


def _content(value: Any) -> Any:
    return value.value if isinstance(value, AvroValue) else value


def _ordered(left: Number, right: Number, compare: Callable[[Any, Any], bool]) -> bool:
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        if left != left or right != right:
            return False
        return bool(compare(as_decimal(left), as_decimal(right)))
    return bool(compare(left, right))


def _comparison(compare: Callable[[Any, Any], bool], or_equal: bool, sign: str) -> Callable[[Any, Any], bool]:
    def comparison(left: Any, right: Any) -> bool:
        if left is right:
            return or_equal
        if left is None or right is None:
            return False
        kind, other = type(left), type(right)
        if kind in _NUMBERS or other in _NUMBERS:
            return _ordered(comparable_number(left), comparable_number(right), compare)
        if kind is str or other is str:
            return compare(text_form(left), text_form(right))
        if isinstance(left, _ORDERED) and isinstance(right, _ORDERED):
            try:
                return compare(left, right)
            except TypeError:
                pass
        raise ExpressionError("not-comparable", f"{described(left)} {sign} {described(right)} cannot be decided")

    return comparison


BINARY: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "+=": join,
    "==": equal,
    "!=": not_equal,
    "<": _comparison(operator.lt, False, "<"),
    "<=": _comparison(operator.le, True, "<="),
    ">": _comparison(operator.gt, False, ">"),
    ">=": _comparison(operator.ge, True, ">="),
}
"""What each sign between two operands does."""


def empty(value: Any) -> bool:
    """`empty`: null, and text, lists, maps and sets without content."""
    content = _content(value)
    return content is None or (isinstance(content, str | list | tuple | Mapping | bytes) and not content)


UNARY: Final[Mapping[str, Callable[[Any], Any]]] = {
    "-": negate,
    "!": lambda value: not to_boolean(value),
    "empty": empty,
}
"""What each sign before an operand does."""
