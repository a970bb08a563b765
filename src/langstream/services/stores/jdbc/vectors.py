"""Vectors in SQL: packed 32-bit floats in the database, lists of numbers outside."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from operator import mul
from typing import Any

import orjson


def pack(values: Sequence[float]) -> bytes:
    """The numbers as little-endian 32-bit floats. Raises TypeError for anything that is no number."""
    packed = array("f", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack(packed: bytes) -> list[float]:
    """The numbers of a packed vector."""
    values = array("f")
    values.frombytes(packed)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()


def float_array(value: Any) -> Any:
    """`CAST(value AS FLOAT ARRAY)`: packed vectors stay, JSON text `[1, 2]` is packed, null stays null."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return pack(orjson.loads(value))
    raise TypeError(f"a {type(value).__name__} cannot be cast to a float array")


def dot_product(left: Any, right: Any) -> float | None:
    """The sum of products; null where either vector is null. Raises ValueError for different lengths."""
    if left is None or right is None:
        return None
    if len(left) != len(right):
        raise ValueError(f"vectors of {len(left) // 4} and {len(right) // 4} numbers cannot be multiplied")
    return float(sum(map(mul, unpack(left), unpack(right))))
