"""Results of expressions: what they become when they are stored in JSON, in headers, or as a whole value."""

from __future__ import annotations

import base64
from collections.abc import Set as AbstractSet
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

from langstream.errors import RecordError
from langstream.expressions import SchemaType, coerce
from langstream.expressions.dates import epoch_number
from langstream.expressions.numbers import INT64_MAX, INT64_MIN
from langstream.records import AvroValue

_AS_THEY_ARE: Final = frozenset((str, int, float, bool, dict, list, type(None), Decimal))


def json_member(result: Any) -> Any:
    """A result as a member of a JSON object.

    Dates are days, times of day milliseconds, instants and date-times epoch milliseconds; bytes are base64 text.
    """
    if type(result) in _AS_THEY_ARE:
        return result
    if isinstance(result, date | time):
        return epoch_number(result)
    if isinstance(result, bytes):
        return base64.b64encode(result).decode()
    if isinstance(result, AvroValue):
        return result.value
    if isinstance(result, tuple | AbstractSet):
        return list(result)
    return result


def check_inferred(result: Any) -> Any:
    """The result of an expression without a declared type. Raises RecordError for what has none of its own."""
    kind = type(result)
    if kind is str or kind is bool or kind is float or kind is dict or kind is list:
        return result
    if kind is int:
        if INT64_MIN <= result <= INT64_MAX:
            return result
        raise RecordError(f"the integer {str(result)[:40]} is too large: give the field the type STRING or DECIMAL")
    if result is None:
        raise RecordError("the result is null: give the field a type to store null")
    if isinstance(result, tuple | AbstractSet):  # a set of the expression language is a tuple
        raise RecordError("the result is a set, which cannot be stored: use a list, [a, b]")
    return result


def check_whole(result: Any) -> Any:
    """The result for a whole value or key without a declared type: a scalar."""
    if isinstance(check_inferred(result), dict | list | Decimal | AvroValue):
        kind = {dict: "an object", list: "a list", Decimal: "a decimal"}.get(type(result), "structured")
        raise RecordError(f"the result is {kind}, which cannot be a whole value: use fn:toJson(…) or declare a type")
    return result


def header_result(result: Any) -> str:
    """The result for a header: text. Raises RecordError for null."""
    if type(result) is str:
        return result
    if result is None:
        raise RecordError("the result is null, but a header must have a text")
    text = coerce(result, SchemaType.STRING)
    assert isinstance(text, str)
    return text
