"""Dates and times of expressions: reading, writing and converting them, in UTC throughout.

An instant is an aware `datetime`, a local date-time a naive one, a local date a `date` and a time of day a `time`.
Instants are exact to the nanosecond: those between two microseconds are `NanoInstant`s, datetimes that remember the
rest.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from langstream.expressions.errors import ExpressionError
from langstream.expressions.wording import described

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIME: Final = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?", re.ASCII)
_OFFSET: Final = re.compile(r"[Zz]|([+-])(\d\d)(?::?(\d\d))?", re.ASCII)


class NanoInstant(datetime):
    """An instant between two microseconds. `nanosecond` (1 to 999) is added to the datetime."""

    nanosecond: int = 0

    @classmethod
    def of(cls, moment: datetime, nanosecond: int) -> NanoInstant:
        """The moment and that many nanoseconds."""
        made = cls.combine(moment.date(), moment.time(), UTC)
        made.nanosecond = nanosecond
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, datetime) and other.tzinfo is not None and nanos_of(self) == nanos_of(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: date) -> bool:
        return isinstance(other, datetime) and nanos_of(self) < nanos_of(other)

    def __le__(self, other: date) -> bool:
        return isinstance(other, datetime) and nanos_of(self) <= nanos_of(other)

    def __gt__(self, other: date) -> bool:
        return isinstance(other, datetime) and nanos_of(self) > nanos_of(other)

    def __ge__(self, other: date) -> bool:
        return isinstance(other, datetime) and nanos_of(self) >= nanos_of(other)

    def __hash__(self) -> int:
        return hash((datetime.__hash__(self), self.nanosecond))


def nanos_of(instant: datetime) -> int:
    """Nanoseconds since the epoch."""
    since = instant - EPOCH
    whole = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return whole * 1000 + (instant.nanosecond if isinstance(instant, NanoInstant) else 0)


def instant_of(nanos: int) -> datetime:
    """The instant so many nanoseconds after the epoch. Raises ExpressionError outside the years 1 to 9999."""
    micros, rest = divmod(nanos, 1000)
    try:
        moment = EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise ExpressionError("bad-date", "the date is outside the years 1 to 9999") from None
    return NanoInstant.of(moment, rest) if rest else moment


# --- reading


def parse_instant(text: str) -> datetime:
    """An RFC 3339 date-time with its offset, or a date alone (midnight UTC)."""
    day = _DATE.match(text)
    if day and day.end() == len(text):
        return datetime.combine(_date(day, text), time(), UTC)
    clock = _TIME.match(text, 11) if day and text[10:11] in ("T", "t", " ") else None
    offset = _OFFSET.fullmatch(text, clock.end()) if clock else None
    if day is None or clock is None or offset is None:
        raise _not_a(text, "an instant", "2024-01-31T12:00:00Z, with its offset, or 2024-01-31")
    local = datetime.combine(_date(day, text), _time(clock, text), _zone(offset, text))
    nanos = int((clock[4] or "0").ljust(9, "0"))
    try:
        moment = local.astimezone(UTC)
    except OverflowError:
        raise ExpressionError("bad-date", f"{text!r} is outside the years 1 to 9999") from None
    return NanoInstant.of(moment, nanos % 1000) if nanos % 1000 else moment


def parse_date(text: str) -> date:
    """`yyyy-MM-dd`."""
    found = _DATE.fullmatch(text)
    if not found:
        raise _not_a(text, "a date", "2024-01-31")
    return _date(found, text)


def parse_time(text: str) -> time:
    """`HH:mm`, `HH:mm:ss`, with or without a fraction."""
    found = _TIME.fullmatch(text)
    if not found:
        raise _not_a(text, "a time of day", "12:30:00")
    return _time(found, text)


def parse_date_time(text: str) -> datetime:
    """A date and time without offset."""
    day = _DATE.match(text)
    clock = _TIME.fullmatch(text, 11) if day and text[10:11] in ("T", "t", " ") else None
    if day is None or clock is None:
        raise _not_a(text, "a local date and time", "2024-01-31T12:30:00, without an offset")
    return datetime.combine(_date(day, text), _time(clock, text))


def _not_a(text: str, what: str, example: str) -> ExpressionError:
    return ExpressionError("bad-date", f"{text[:40]!r} is not {what}: expected text such as {example}")


def _date(found: re.Match[str], text: str) -> date:
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError as error:
        raise ExpressionError("bad-date", f"{text[:40]!r} is not a date: {error}") from None


def _time(found: re.Match[str], text: str) -> time:
    micros = int((found[4] or "0").ljust(9, "0")) // 1000
    try:
        return time(int(found[1]), int(found[2]), int(found[3] or 0), micros)
    except ValueError as error:
        raise ExpressionError("bad-date", f"{text[:40]!r} is not a time of day: {error}") from None


def _zone(found: re.Match[str], text: str) -> timezone:
    if not found[1]:
        return UTC
    offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    if offset > timedelta(hours=18) or int(found[3] or 0) > 59:
        raise ExpressionError("bad-date", f"{text[:40]!r} has an impossible offset")
    return timezone(offset if found[1] == "+" else -offset)


# --- writing


def date_text(value: date | time) -> str:
    """ISO 8601; instants in UTC with `Z`."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return f"{value.date().isoformat()}T{_clock_text(value.time(), 0, short=True)}"
        nanosecond = value.nanosecond if isinstance(value, NanoInstant) else 0
        moment = value.astimezone(UTC)
        return f"{moment.date().isoformat()}T{_clock_text(moment.time(), nanosecond, short=False)}Z"
    if isinstance(value, time):
        return _clock_text(value, 0, short=True)
    return value.isoformat()


def _clock_text(clock: time, nanosecond: int, *, short: bool) -> str:
    nanos = clock.microsecond * 1000 + nanosecond
    text = f"{clock.hour:02}:{clock.minute:02}"
    if short and not clock.second and not nanos:
        return text
    text += f":{clock.second:02}"
    if not nanos:
        return text
    if nanos % 1_000_000 == 0:
        return f"{text}.{nanos // 1_000_000:03}"
    return f"{text}.{nanos // 1000:06}" if nanos % 1000 == 0 else f"{text}.{nanos:09}"


# --- converting


def to_instant(value: Any) -> datetime:
    """Numbers are epoch milliseconds; text as `parse_instant`; local dates and times are taken as UTC."""
    if isinstance(value, str):
        return parse_instant(value)
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if _is_number(value):
        return instant_of(_nanos_of_millis(value))
    raise _cannot(value, "an instant")


def to_local_date(value: Any) -> date:
    """Numbers are days since the epoch."""
    if isinstance(value, str):
        return parse_date(value)
    if isinstance(value, datetime):
        return _utc(value).date()
    if isinstance(value, date):
        return value
    if _is_number(value):
        try:
            return date.fromordinal(_EPOCH_DAY + int(value))
        except (ValueError, OverflowError):
            raise ExpressionError("bad-date", "the number of days is outside the years 1 to 9999") from None
    raise _cannot(value, "a date")


def to_local_time(value: Any) -> time:
    """Numbers are epoch milliseconds, of which the time of day remains."""
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, time):
        return value
    if isinstance(value, datetime):
        return _utc(value).time()
    if isinstance(value, date):
        return time()
    if _is_number(value):
        return instant_of(_nanos_of_millis(value)).time()
    raise _cannot(value, "a time of day")


def to_local_date_time(value: Any) -> datetime:
    """Numbers are epoch milliseconds."""
    if isinstance(value, str):
        return parse_date_time(value)
    moment = to_instant(value)
    return datetime.combine(*_parts(_utc(moment)))


def _parts(moment: datetime) -> tuple[date, time]:
    return moment.date(), moment.time()


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC)


def epoch_number(value: date | time) -> int:
    """Milliseconds since the epoch; days since the epoch for a date, milliseconds of the day for a time."""
    if isinstance(value, datetime):
        return nanos_of(to_instant(value)) // 1_000_000
    if isinstance(value, time):
        return nanos_of_day(value) // 1_000_000
    return value.toordinal() - _EPOCH_DAY


def nanos_of_day(clock: time) -> int:
    """Nanoseconds since midnight."""
    seconds = (clock.hour * 60 + clock.minute) * 60 + clock.second
    return seconds * 1_000_000_000 + clock.microsecond * 1000


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _nanos_of_millis(millis: float | Decimal) -> int:
    if isinstance(millis, int):
        return millis * 1_000_000
    if not -1e17 < millis < 1e17:
        raise ExpressionError("bad-date", "the number of milliseconds is outside the years 1 to 9999")
    return round(Decimal(str(millis)) * 1_000_000)


def _cannot(value: Any, what: str) -> ExpressionError:
    return ExpressionError("cannot-convert", f"{described(value)} cannot become {what}")
