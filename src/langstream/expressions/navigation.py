"""Members of values: `.name` and `[index]`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from langstream.expressions.dates import nanos_of
from langstream.expressions.errors import ExpressionError
from langstream.expressions.wording import described
from langstream.records import AvroValue


def member(base: Any, index: Any) -> Any:
    """`base[index]`. Null has only null members; maps give null for what they lack, lists for what is outside."""
    if base is None or index is None:
        return None
    if isinstance(base, AvroValue):
        base = base.value
    if isinstance(base, Mapping):
        return _entry(base, index)
    if isinstance(base, list):
        return _item(base, index)
    if base is None:
        return None
    return _property(base, index)


def _entry(base: Mapping[Any, Any], index: Any) -> Any:
    try:
        return base.get(index)
    except TypeError:  # a list or a map is no key
        return None


def _item(base: list[Any], index: Any) -> Any:
    position = _position(index)
    return base[position] if 0 <= position < len(base) else None


def _position(index: Any) -> int:
    if isinstance(index, str):
        try:
            return int(index) if len(index) < 20 and index.lstrip("+-").isdecimal() else _no_position(index)
        except ValueError:
            return _no_position(index)
    if isinstance(index, int | float | Decimal) and -(2**63) < index < 2**63:
        return int(index)
    return _no_position(index)


def _no_position(index: Any) -> int:
    raise ExpressionError(
        "not-a-number", f"{described(index)} is not a position in a list (the first is [0]; lists have no members)"
    )


def _property(base: Any, index: Any) -> Any:
    """The few properties which plain values have."""
    found = _properties_of(base).get(index) if isinstance(index, str) else None
    if found is not None:
        return found(base)
    name = index if isinstance(index, str) else described(index)
    hint = " (it is not a JSON object)" if isinstance(base, str | bytes) else ""
    raise ExpressionError("property-not-found", f"{described(base)} has no member {name}{hint}")


_DAY: Final[Mapping[str, Callable[[Any], Any]]] = {
    "year": lambda day: day.year,
    "monthValue": lambda day: day.month,
    "dayOfMonth": lambda day: day.day,
    "dayOfYear": lambda day: day.timetuple().tm_yday,
}
_CLOCK: Final[Mapping[str, Callable[[Any], Any]]] = {
    "hour": lambda clock: clock.hour,
    "minute": lambda clock: clock.minute,
    "second": lambda clock: clock.second,
    "nano": lambda clock: clock.microsecond * 1000,
}
_INSTANT: Final[Mapping[str, Callable[[Any], Any]]] = {
    **_DAY,
    **_CLOCK,
    "epochSecond": lambda moment: nanos_of(moment) // 1_000_000_000,
    "nano": lambda moment: nanos_of(moment) % 1_000_000_000,
}


_TEXT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "bytes": lambda text: text.encode("utf-8", "replace"),
    "blank": lambda text: not text.strip(),
}
_FLOAT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "naN": math.isnan,
    "infinite": math.isinf,
}


def _properties_of(base: Any) -> Mapping[str, Callable[[Any], Any]]:
    if isinstance(base, str):
        return _TEXT
    if isinstance(base, float):
        return _FLOAT
    if isinstance(base, datetime):
        return _INSTANT if base.tzinfo is not None else {**_DAY, **_CLOCK}
    if isinstance(base, date):
        return _DAY
    return _CLOCK if isinstance(base, time) else {}
