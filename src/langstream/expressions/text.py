"""The text form of values: what `+=`, `fn:str`, `fn:concat` and comparisons with text see.

Lists are `[a, b]` and maps `{k=v}`, as in the original; `fn:toJson` writes JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from langstream.expressions.dates import date_text
from langstream.expressions.errors import ExpressionError
from langstream.expressions.wording import described
from langstream.records import AvroValue, dump_json


def text_form(value: Any) -> str:
    """The text of a value; null is `null`. Raises ExpressionError for what has no text (a lambda)."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float:
        return float_text(value)
    if value is None:
        return "null"
    return _structure_text(value)


def _structure_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join([text_form(item) for item in value])}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join([f"{text_form(name)}={text_form(item)}" for name, item in value.items()]) + "}"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, date | datetime | time):
        return date_text(value)
    if isinstance(value, AvroValue):
        return dump_json(value.value).decode()
    if isinstance(value, Decimal | str | int | float):
        return str(value)
    raise ExpressionError("cannot-convert", f"{described(value)} has no text")


def float_text(number: float) -> str:
    """A double as the original prints it: `1.0`, `0.001`, `1.0E10`, `NaN`, `-Infinity`."""
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(number)
    parts = Decimal(repr(number)).as_tuple()
    assert isinstance(parts.exponent, int)
    digits = "".join(map(str, parts.digits))
    exponent = parts.exponent + len(digits) - 1
    rest = digits[1:].rstrip("0") or "0"
    return f"{'-' if parts.sign else ''}{digits[0]}.{rest}E{exponent}"
