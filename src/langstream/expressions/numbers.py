"""Numbers of expressions: what counts as a number, and conversions between the sizes of numbers.

Integers are exact. Where the original has 64 bits the result of sums, differences and products wraps as its does;
an operand beyond 64 bits makes the result as large as it needs to be.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, TypeAlias

from langstream.expressions.dates import epoch_number
from langstream.expressions.errors import ExpressionError
from langstream.expressions.wording import described

Number: TypeAlias = int | float | Decimal

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
_BITS: Final = {"INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64}
_NUMERIC: Final = re.compile(
    r"[+-]?(?:[0-9]+(?P<fraction>\.[0-9]*)?|(?P<point>\.[0-9]+))(?P<exponent>[eE][+-]?[0-9]+)?"
)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_MAX_DIGITS: Final = 1000


def operand(value: Any) -> Number:
    """A value as an operand of arithmetic: null and empty text are 0, numeric text is its number."""
    kind = type(value)
    if kind is int or kind is float or kind is Decimal:
        return value  # type: ignore[no-any-return]
    if value is None:
        return 0
    if kind is str:
        number = parse_number(value)
        if number is None:
            raise ExpressionError("not-a-number", f"{described(value)} is not a number")
        return number
    advice = " (use fn:timestampAdd or fn:toLong)" if isinstance(value, date | time) else ""
    raise ExpressionError("cannot-convert", f"{described(value)} cannot become a number{advice}")


def comparable_number(value: Any) -> Number:
    """A value as a number to be compared with a number; dates are milliseconds since the epoch."""
    kind = type(value)
    if kind is int or kind is float or kind is Decimal:
        return value  # type: ignore[no-any-return]
    number = parse_number(value) if kind is str else None
    if number is None and isinstance(value, date | time):
        number = epoch_number(value)
    if number is None:
        raise ExpressionError("cannot-convert", f"{described(value)} cannot be compared with a number")
    return number


def parse_number(text: str) -> int | float | None:
    """The number a text denotes, 0 for empty text, or None. Surrounding blanks are not accepted."""
    found = _NUMERIC.fullmatch(text)
    if found is None or len(text) > _MAX_DIGITS:
        return None if text else 0
    if found["fraction"] is None and found["point"] is None and found["exponent"] is None:
        return int(text)
    return float(text)


def wrapped(number: int, bits: int = 64) -> int:
    """The integer that remains in so many bits."""
    half = 1 << (bits - 1)
    return (number + half) % (half << 1) - half


def as_float(number: Number) -> float:
    """A double; infinite if the number is too large for one."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def as_decimal(number: Number) -> Decimal:
    """A decimal; doubles by their shortest form."""
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


# --- declared targets


def to_integer(value: Any, target: str) -> int:
    """INT32 and INT64: fractions are cut, the limits of the type hold. INT8 and INT16: the low bits."""
    bits = _BITS[target]
    if isinstance(value, bytes):
        return int.from_bytes(_exactly(value, bits // 8, target), "big", signed=True)
    if bits <= 16:
        return wrapped(_whole(_small_source(value, target)), bits)
    number = _number_of(value, target)
    limit = 1 << (bits - 1)
    if number != number or not -limit <= number < limit:
        return 0 if number != number else limit - 1 if number > 0 else -limit
    return int(number)


def _small_source(value: Any, target: str) -> Number:
    if isinstance(value, str):
        if value and not (_INTEGER.fullmatch(value) and abs(int(value[:20])) < 1 << (_BITS[target] - 1)):
            raise _cannot(value, target)
        return int(value or 0)
    if isinstance(value, date | time):
        raise _cannot(value, target)
    return _number_of(value, target)


def _whole(number: Number) -> int:
    if number != number or not -(10**30) < number < 10**30:
        return 0 if number != number else INT64_MAX if number > 0 else INT64_MIN
    return int(number)


def _number_of(value: Any, target: str) -> Number:
    if isinstance(value, bool):
        raise _cannot(value, target)
    if isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, str):
        number = parse_number(value.strip())
        if number is not None:
            return number
    if isinstance(value, date | time) and not (target == "INT32" and isinstance(value, datetime)):
        return epoch_number(value)
    raise _cannot(value, target)


def to_double(value: Any) -> float:
    """A double. Dates are milliseconds (a local date: days) since the epoch."""
    if isinstance(value, bytes):
        return float(struct.unpack(">d", _exactly(value, 8, "DOUBLE"))[0])
    return as_float(_number_of(value, "DOUBLE"))


def to_float(value: Any) -> float:
    """A number of 32 bits, given as the shortest decimal that denotes it: 1.1, not 1.10000002."""
    if isinstance(value, bytes):
        return _shortest(struct.unpack(">f", _exactly(value, 4, "FLOAT"))[0])
    if isinstance(value, datetime | time):
        raise _cannot(value, "FLOAT")
    return _shortest(as_float(_number_of(value, "FLOAT")))


def _shortest(number: float) -> float:
    try:
        packed = struct.pack(">f", number)
    except OverflowError:
        return math.copysign(math.inf, number)
    rounded: float = struct.unpack(">f", packed)[0]
    for digits in (6, 7, 8, 9):
        candidate = float(f"{rounded:.{digits}g}")
        if _same_float(candidate, packed):
            return candidate
    return rounded


def _same_float(candidate: float, packed: bytes) -> bool:
    try:
        return struct.pack(">f", candidate) == packed
    except OverflowError:
        return False


def to_decimal(value: Any) -> Decimal:
    """A decimal: text and integers exactly, doubles by their shortest form."""
    if isinstance(value, str):
        if not _NUMERIC.fullmatch(value) or len(value) > _MAX_DIGITS:
            raise ExpressionError("not-a-number", f"{described(value)} is not a decimal number")
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _cannot(value, "DECIMAL")
    if isinstance(value, float) and not math.isfinite(value):
        raise _cannot(value, "DECIMAL")
    return as_decimal(value)


def _exactly(content: bytes, size: int, target: str) -> bytes:
    if len(content) != size:
        message = f"{target} is read from {size} byte{'s' * (size > 1)}, but there are {len(content)}"
        raise ExpressionError("bad-bytes", message)
    return content


def _cannot(value: Any, target: str) -> ExpressionError:
    return ExpressionError("cannot-convert", f"{described(value)} cannot become {target}")
