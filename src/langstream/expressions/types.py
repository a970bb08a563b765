"""Declared types: the schema types, and how a value becomes one of them.

>>> coerce("19.99", SchemaType.INT32)
19
>>> coerce("2024-01-31", SchemaType.LOCAL_DATE)
datetime.date(2024, 1, 31)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any

from langstream.expressions.dates import (
    epoch_number,
    instant_of,
    nanos_of,
    nanos_of_day,
    to_instant,
    to_local_date,
    to_local_date_time,
    to_local_time,
)
from langstream.expressions.errors import ExpressionError
from langstream.expressions.numbers import INT64_MAX, INT64_MIN, to_decimal, to_double, to_float, to_integer
from langstream.expressions.text import text_form
from langstream.expressions.wording import described
from langstream.records import AvroValue


class SchemaType(StrEnum):
    """Types a configuration can declare, in upper case."""

    STRING = "STRING"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    DECIMAL = "DECIMAL"
    BOOLEAN = "BOOLEAN"
    BYTES = "BYTES"
    DATE = "DATE"
    """As a schema type an instant; `compute` takes it for LOCAL_DATE."""
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    INSTANT = "INSTANT"
    DATETIME = "DATETIME"
    """An instant."""
    LOCAL_DATE = "LOCAL_DATE"
    LOCAL_TIME = "LOCAL_TIME"
    LOCAL_DATE_TIME = "LOCAL_DATE_TIME"
    ARRAY = "ARRAY"
    MAP = "MAP"
    AVRO = "AVRO"
    JSON = "JSON"
    PROTOBUF = "PROTOBUF"


def coerce(value: Any, target: SchemaType) -> Any:
    """The value as that type; null stays null. Raises ExpressionError if it cannot become one."""
    if value is None:
        return None
    conversion = _CONVERSIONS.get(target)
    if conversion is None:
        raise ExpressionError("cannot-convert", f"{described(value)} cannot become {target}")
    try:
        return conversion(value)
    except (ArithmeticError, ValueError):  # numbers that are none, or longer than any text
        raise ExpressionError("cannot-convert", f"{described(value)} cannot become {target}") from None
    except RecursionError:
        raise ExpressionError("stack-overflow", f"{described(value)} nests too deeply to become {target}") from None


def to_boolean(value: Any) -> bool:
    """A value as a condition. Null and numbers are none; of texts only `true`, in any case of letters, is true."""
    if value is True or value is False:
        return value
    if isinstance(value, str):
        return value.lower() == "true"
    if value is None:
        raise ExpressionError("null-boolean", "the condition is null (a test such as == true is never null)")
    if isinstance(value, bytes):
        if len(value) != 1:
            raise ExpressionError("bad-bytes", f"BOOLEAN is read from 1 byte, but there are {len(value)}")
        return value != b"\0"
    raise ExpressionError("cannot-convert", f"{described(value)} is not a condition")


def _to_text(value: Any) -> str:
    return text_form(value)


def _to_list(value: Any) -> Any:
    if isinstance(value, list):
        return value
    if isinstance(value, AvroValue) and isinstance(value.value, list):
        return value.value
    if value == "":
        return None
    raise ExpressionError("cannot-convert", f"{described(value)} is not a list")


def _to_map(value: Any) -> Any:
    if isinstance(value, Mapping | AvroValue):
        return value
    raise ExpressionError("cannot-convert", f"{described(value)} is not a map")


# --- bytes


def _to_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if isinstance(value, bool):
        return b"\1" if value else b"\0"
    if isinstance(value, int) and INT64_MIN <= value <= INT64_MAX:
        return struct.pack(">q", value)
    if isinstance(value, float):
        return struct.pack(">d", value)
    if isinstance(value, date | time):
        return _date_bytes(value)
    raise ExpressionError("cannot-convert", f"{described(value)} cannot become BYTES")


def _date_bytes(value: date | time) -> bytes:
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return struct.pack(">qi", *divmod(nanos_of(value), 1_000_000_000))
        return struct.pack(">qq", epoch_number(value.date()), nanos_of_day(value.time()))
    if isinstance(value, time):
        return struct.pack(">q", nanos_of_day(value))
    return struct.pack(">q", epoch_number(value))


def _instant(value: Any) -> datetime:
    if not isinstance(value, bytes):
        return to_instant(value)
    if len(value) == 12:
        seconds, nanos = struct.unpack(">qi", value)
        return instant_of(seconds * 1_000_000_000 + nanos)
    return to_instant(_integer_of(value, "12 bytes, or from 8"))


def _local_date(value: Any) -> date:
    return to_local_date(_integer_of(value, "8 bytes") if isinstance(value, bytes) else value)


def _local_time(value: Any) -> time:
    if not isinstance(value, bytes):
        return to_local_time(value)
    return instant_of(_integer_of(value, "8 bytes") % 86_400_000_000_000).time()


def _time_of_millis(value: Any) -> time:
    return to_local_time(_integer_of(value, "8 bytes") if isinstance(value, bytes) else value)


def _local_date_time(value: Any) -> datetime:
    if not isinstance(value, bytes):
        return to_local_date_time(value)
    if len(value) != 16:
        raise ExpressionError("bad-bytes", f"LOCAL_DATE_TIME is read from 16 bytes, but there are {len(value)}")
    days, nanos = struct.unpack(">qq", value)
    return datetime.combine(to_local_date(days), instant_of(nanos % 86_400_000_000_000).time())


def _integer_of(content: bytes, expected: str) -> int:
    if len(content) != 8:
        raise ExpressionError("bad-bytes", f"a date or time is read from {expected}, but there are {len(content)}")
    return int.from_bytes(content, "big", signed=True)


def _decimal(value: Any) -> Decimal:
    return to_decimal(value)


_CONVERSIONS: Mapping[SchemaType, Callable[[Any], Any]] = {
    SchemaType.STRING: _to_text,
    SchemaType.INT8: lambda value: to_integer(value, "INT8"),
    SchemaType.INT16: lambda value: to_integer(value, "INT16"),
    SchemaType.INT32: lambda value: to_integer(value, "INT32"),
    SchemaType.INT64: lambda value: to_integer(value, "INT64"),
    SchemaType.FLOAT: to_float,
    SchemaType.DOUBLE: to_double,
    SchemaType.DECIMAL: _decimal,
    SchemaType.BOOLEAN: to_boolean,
    SchemaType.BYTES: _to_bytes,
    SchemaType.DATE: _instant,
    SchemaType.TIMESTAMP: _instant,
    SchemaType.INSTANT: _instant,
    SchemaType.DATETIME: _instant,
    SchemaType.LOCAL_DATE: _local_date,
    SchemaType.LOCAL_TIME: _local_time,
    SchemaType.TIME: _time_of_millis,
    SchemaType.LOCAL_DATE_TIME: _local_date_time,
    SchemaType.ARRAY: _to_list,
    SchemaType.MAP: _to_map,
}
