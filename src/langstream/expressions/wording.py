"""How error messages name values: by type, with the beginning of short data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from langstream.records import AvroValue

_SHOWN: Final = 40


def described(value: Any) -> str:
    """A value as an error message names it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a very large number"
    if isinstance(value, int | float | Decimal):
        return f"the number {str(value)[:_SHOWN]}"
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) <= _SHOWN else f"the text {value[:_SHOWN]!r}…"
    return f"a {_TYPE_NAMES.get(type(value), type(value).__name__)}"


_TYPE_NAMES: Final[Mapping[type, str]] = {
    dict: "map",
    list: "list",
    tuple: "set",
    bytes: "value of bytes",
    AvroValue: "Avro value",
    datetime: "date and time",
    date: "date",
    time: "time of day",
}
