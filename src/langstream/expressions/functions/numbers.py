"""Functions on numbers, and the few names of `Math`, `Integer`, `Long`, `Double` and `String` that are kept."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from langstream.expressions.errors import ExpressionError
from langstream.expressions.functions.signature import Function
from langstream.expressions.functions.structures import list_of
from langstream.expressions.numbers import INT64_MAX, INT64_MIN, Number, as_decimal, as_float, operand
from langstream.expressions.text import text_form
from langstream.expressions.types import SchemaType, coerce
from langstream.expressions.wording import described

_MAX_SCALE: Final = 1000


def _to(target: SchemaType) -> Callable[[Any], Any]:
    return lambda value: coerce(value, target)


def _random(limit: Any) -> int:
    bound = coerce(limit, SchemaType.INT32)
    if bound is None or bound <= 0:
        raise ExpressionError("bad-argument", f"fn:random expects a number above 0, not {described(limit)}")
    return random.randrange(bound)  # noqa: S311 - not for secrets


def _to_list_of_float(value: Any) -> list[float] | None:
    if value is None:
        return None
    return [item if type(item) is float else _float(item) for item in list_of(value, "toListOfFloat")]


def _float(item: Any) -> float:
    if item is None:
        raise ExpressionError("null-argument", "an item of the list given to fn:toListOfFloat is null")
    number: float = coerce(item, SchemaType.DOUBLE)
    return number


def _decimal_from_unscaled(value: Any, scale: Any) -> Decimal | None:
    if scale is None:
        raise ExpressionError("null-argument", "the scale given to fn:decimalFromUnscaled is null")
    if value is None:
        return None
    digits = operand(value) if isinstance(value, str) else value
    if not isinstance(digits, int) or isinstance(digits, bool):
        raise ExpressionError("cannot-convert", f"{described(value)} is not the digits of a decimal")
    places = coerce(scale, SchemaType.INT32)
    if abs(places) > _MAX_SCALE:
        raise ExpressionError("bad-argument", f"the scale of a decimal may be {_MAX_SCALE} at most")
    sign, numerals, _ = Decimal(digits).as_tuple()
    return Decimal((sign, numerals, -places))


def _decimal_from_number(value: Any) -> Decimal:
    if value is None:
        raise ExpressionError("null-argument", "the number given to fn:decimalFromNumber is null")
    number = coerce(value, SchemaType.DOUBLE)
    if math.isinf(number) or math.isnan(number):
        raise ExpressionError("cannot-convert", f"{described(value)} cannot become a decimal")
    return as_decimal(number)


# --- Math


def _same_kind(left: Any, right: Any) -> tuple[Number, Number]:
    first, second = operand(left), operand(right)
    if isinstance(first, Decimal) or isinstance(second, Decimal):
        return as_decimal(first), as_decimal(second)
    if isinstance(first, float) or isinstance(second, float):
        return as_float(first), as_float(second)
    return first, second


def _max(left: Any, right: Any) -> Number:
    return max(_same_kind(left, right))


def _min(left: Any, right: Any) -> Number:
    return min(_same_kind(left, right))


def _round(value: Any) -> int:
    number = as_float(operand(value))
    rounded: int = coerce(math.floor(number + 0.5) if math.isfinite(number) else number, SchemaType.INT64)
    return rounded


def _whole(direction: Callable[[float], int]) -> Callable[[Any], float]:
    def whole(value: Any) -> float:
        number = as_float(operand(value))
        return float(direction(number)) if math.isfinite(number) else number

    return whole


def _sqrt(value: Any) -> float:
    number = as_float(operand(value))
    return math.sqrt(number) if number >= 0 else math.nan


def _pow(base: Any, exponent: Any) -> float:
    try:
        return math.pow(as_float(operand(base)), as_float(operand(exponent)))
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


FUNCTIONS: Final = (
    Function("fn:toInt(x)", _to(SchemaType.INT32), 1, 1),
    Function("fn:toLong(x)", _to(SchemaType.INT64), 1, 1),
    Function("fn:toDouble(x)", _to(SchemaType.DOUBLE), 1, 1),
    Function("fn:toListOfFloat(list)", _to_list_of_float, 1, 1),
    Function("fn:random(limit)", _random, 1, 1),
    Function("fn:decimalFromUnscaled(digits, scale)", _decimal_from_unscaled, 2, 2),
    Function("fn:decimalFromNumber(x)", _decimal_from_number, 1, 1),
)

STATIC: Final = (
    Function("Math.abs(x)", lambda value: abs(operand(value)), 1, 1),
    Function("Math.max(a, b)", _max, 2, 2),
    Function("Math.min(a, b)", _min, 2, 2),
    Function("Math.round(x)", _round, 1, 1),
    Function("Math.floor(x)", _whole(math.floor), 1, 1),
    Function("Math.ceil(x)", _whole(math.ceil), 1, 1),
    Function("Math.sqrt(x)", _sqrt, 1, 1),
    Function("Math.pow(a, b)", _pow, 2, 2),
    Function("Integer.parseInt(x)", _to(SchemaType.INT32), 1, 1),
    Function("Long.parseLong(x)", _to(SchemaType.INT64), 1, 1),
    Function("Double.parseDouble(x)", _to(SchemaType.DOUBLE), 1, 1),
    Function("String.valueOf(x)", text_form, 1, 1),
    Function("Integer.MAX_VALUE", lambda: 2**31 - 1, 0, 0),
    Function("Integer.MIN_VALUE", lambda: -(2**31), 0, 0),
    Function("Long.MAX_VALUE", lambda: INT64_MAX, 0, 0),
    Function("Long.MIN_VALUE", lambda: INT64_MIN, 0, 0),
)
"""Harmless names of Java's classes which the original let through; applications may use them."""
