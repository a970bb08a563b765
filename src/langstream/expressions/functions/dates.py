"""Functions on dates."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from langstream.expressions.dates import NanoInstant, epoch_number, instant_of, nanos_of, parse_date_time
from langstream.expressions.errors import ExpressionError
from langstream.expressions.functions.signature import VARIES, Function
from langstream.expressions.text import text_form
from langstream.expressions.types import SchemaType, coerce
from langstream.expressions.wording import described

_NANOS: Final[Mapping[str, int]] = {
    "days": 86_400_000_000_000,
    "hours": 3_600_000_000_000,
    "minutes": 60_000_000_000,
    "seconds": 1_000_000_000,
    "millis": 1_000_000,
    "nanos": 1,
}
_MONTHS: Final[Mapping[str, int]] = {"years": 12, "months": 1}
_SQL: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,9})?", re.ASCII)


def _timestamp_add(moment: Any, delta: Any, unit: Any) -> datetime:
    for name, argument in (("time", moment), ("amount", delta), ("unit", unit)):
        if argument is None:
            raise ExpressionError("null-argument", f"the {name} given to fn:timestampAdd is null")
    instant: datetime = coerce(moment, SchemaType.INSTANT)
    amount: int = coerce(delta, SchemaType.INT64)
    chosen = text_form(unit)
    if chosen in _NANOS:
        return instant_of(nanos_of(instant) + amount * _NANOS[chosen])
    return _add_months(instant, amount * _MONTHS[_known(chosen)])


def _known(unit: str) -> str:
    if unit in _NANOS or unit in _MONTHS:
        return unit
    raise ExpressionError("bad-argument", f"{unit!r} is not a unit of time: expected {', '.join([*_MONTHS, *_NANOS])}")


def _add_months(instant: datetime, months: int) -> datetime:
    instant = instant.astimezone(UTC)
    year, month = divmod(instant.year * 12 + instant.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ExpressionError("bad-date", "the date is outside the years 1 to 9999")
    day = min(instant.day, calendar.monthrange(year, month + 1)[1])
    moved = datetime.combine(instant.date().replace(year, month + 1, day), instant.time(), UTC)
    nanosecond = instant.nanosecond if isinstance(instant, NanoInstant) else 0
    return NanoInstant.of(moved, nanosecond) if nanosecond else moved


def _bind_timestamp_add(arguments: tuple[Any, ...]) -> Callable[..., Any]:
    _check_unit(arguments)
    return _timestamp_add


def _bind_dateadd(arguments: tuple[Any, ...]) -> Callable[..., Any]:
    _check_unit(arguments)
    return _dateadd


def _check_unit(arguments: tuple[Any, ...]) -> None:
    unit = arguments[2]
    if unit is not VARIES and unit is not None:
        _known(text_form(unit))


def _dateadd(moment: Any, delta: Any, unit: Any) -> int:
    return epoch_number(_timestamp_add(moment, delta, unit))


def _to_sql_timestamp(value: Any) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        if not _SQL.fullmatch(value):
            raise ExpressionError(
                "bad-date", f"{described(value)} is not a timestamp: expected text such as 2024-01-31 12:30:00"
            )
        return parse_date_time(value).replace(tzinfo=UTC)
    moment: datetime = coerce(value, SchemaType.INSTANT)
    return moment


FUNCTIONS: Final = (
    Function("fn:now()", lambda: datetime.now(UTC), 0, 0),
    Function("fn:timestampAdd(time, amount, unit)", _timestamp_add, 3, 3, _bind_timestamp_add),
    Function("fn:dateadd(time, amount, unit)", _dateadd, 3, 3, _bind_dateadd),
    Function("fn:toSQLTimestamp(x)", _to_sql_timestamp, 1, 1),
)
