"""Values on their way into PostgreSQL and out of it: records hold what JSON can, columns have types."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeAlias
from uuid import UUID

import orjson

Converter: TypeAlias = Callable[[Any], Any]

_HEADER: Final = struct.Struct(">HH")


async def prepare_connection(connection: Any) -> None:
    """JSON travels as text and comes as structures; pgvector's vectors travel as packed floats, and come as lists."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=_json, decoder=orjson.loads)
    found = await connection.fetch(
        "SELECT t.typname, n.nspname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
        "WHERE t.typname IN ('vector', 'halfvec')"
    )
    for name, schema in found:
        if name == "vector":
            await connection.set_type_codec(
                name, schema=schema, encoder=packed_vector, decoder=unpacked_vector, format="binary"
            )
        else:
            await connection.set_type_codec(name, schema=schema, encoder=_vector_text, decoder=orjson.loads)


class PackedVector(bytes):
    """A vector in pgvector's binary form."""

    __slots__ = ()


def early_vector(value: Any) -> Any:
    """A list of numbers packed before its time; anything else as it is, for `packed_vector` to judge."""
    if type(value) is not list:
        return value
    try:
        return PackedVector(packed_vector(value))
    except (TypeError, ValueError, struct.error, OverflowError):
        return value


def packed_vector(value: Any) -> bytes:
    """A vector in pgvector's binary form. Takes lists of numbers, and their JSON text."""
    if type(value) is PackedVector:
        return value
    numbers = orjson.loads(value) if isinstance(value, str) else value
    return _vector_struct(len(numbers)).pack(len(numbers), 0, *numbers)


@lru_cache(maxsize=64)
def _vector_struct(length: int) -> struct.Struct:
    return struct.Struct(f">HH{length}f")


def unpacked_vector(packed: bytes) -> list[float]:
    """The numbers of pgvector's binary form."""
    numbers = array("f", packed[_HEADER.size :])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tolist()


def _vector_text(value: Any) -> str:
    return value if isinstance(value, str) else "[" + ",".join(repr(float(item)) for item in value) + "]"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def converter(kind: str) -> Converter | None:
    """What makes values fit for a parameter of the type, None where they fit as they are. Nulls stay nulls."""
    return _CONVERTERS.get(kind)


def converted(value: Any, kind: str) -> Any:
    """The value, fit for a parameter of the type."""
    convert = _CONVERTERS.get(kind)
    return value if convert is None or value is None else convert(value)


def plain(value: Any) -> Any:
    """Rows hold what JSON can: exact decimals become numbers, identifiers text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, UUID):
        return str(value)
    return value


def _whole(value: Any) -> Any:
    return value if isinstance(value, bool) else int(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return _json(value) if isinstance(value, dict | list | bool) else str(value)


def _truth(value: Any) -> Any:
    return value.lower() == "true" if isinstance(value, str) else value


def _uuid(value: Any) -> Any:
    return UUID(value) if isinstance(value, str) else value


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def _moment(kind: str) -> Converter:
    parse: Callable[[str], Any] = {"date": date.fromisoformat, "time": time.fromisoformat}.get(
        kind, datetime.fromisoformat
    )

    def convert(value: Any) -> Any:
        if isinstance(value, str):
            return parse(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = datetime.fromtimestamp(value / 1000, UTC)
            value = value if kind == "timestamptz" else value.replace(tzinfo=None)
        return value.date() if kind == "date" and isinstance(value, datetime) else value

    return convert


_CONVERTERS: Final[dict[str, Converter]] = {
    **dict.fromkeys(("int2", "int4", "int8"), _whole),
    **dict.fromkeys(("float4", "float8"), float),
    **dict.fromkeys(("text", "varchar", "bpchar", "name"), _text),
    **{kind: _moment(kind) for kind in ("timestamp", "timestamptz", "date", "time")},
    "numeric": lambda value: Decimal(str(value)),
    "bool": _truth,
    "uuid": _uuid,
    "bytea": _bytes,
}
