"""Values on their way into columns, by the type of the column, and out of rows.

In: what JSON can say becomes what the driver wants (text → UUID, number or ISO text → timestamp, list → vector, …).
Out: rows hold what JSON can; a vector is an object `{"values": […]}`, as in the original.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from langstream.errors import RecordError


def into(value: Any, kind: Any, what: str) -> Any:
    """The value for a column of the driver's type `kind`. Raises RecordError; `what` names the column there."""
    if value is None:
        return None
    try:
        return _converted(value, kind)
    except (ValueError, TypeError, ArithmeticError) as error:
        shown = type(value).__name__
        raise RecordError(f"{what}: a {shown} does not go into a column of type {_named(kind)}: {error}") from None


def _named(kind: Any) -> str:
    return str(kind.cql_parameterized_type()) if hasattr(kind, "cql_parameterized_type") else str(kind)


def _converted(value: Any, kind: Any) -> Any:
    name = kind.typename
    if hasattr(kind, "mapped_class"):  # a type of the user's own
        given = _mapped(value)
        pairs = zip(kind.fieldnames, kind.subtypes, strict=True)
        return tuple(None if given.get(n) is None else _converted(given[n], t) for n, t in pairs)
    if name.endswith("VectorType"):
        return _vector(value, kind)
    if name == "frozen":
        return _converted(value, kind.subtypes[0])
    if name in ("list", "set"):
        items = [_converted(item, kind.subtypes[0]) for item in _listed(value)]
        return items if name == "list" else set(items)
    if name == "map":
        key, item = kind.subtypes
        return {_converted(k, key): _converted(v, item) for k, v in _mapped(value).items()}
    if name == "tuple":
        members = zip(_listed(value), kind.subtypes, strict=True)
        return tuple(None if member is None else _converted(member, inner) for member, inner in members)
    convert = _SCALARS.get(name)
    return convert(value) if convert else value


def _vector(value: Any, kind: Any) -> list[Any]:
    if isinstance(value, Mapping) and "values" in value:
        value = value["values"]
    items = [_converted(item, kind.subtype) for item in _listed(value)]
    if len(items) != kind.vector_size:
        raise ValueError(f"it has {len(items)} numbers, the column {kind.vector_size}")
    return items


def _listed(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        value = orjson.loads(value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, list | tuple | AbstractSet):
        raise TypeError("it is no list")
    return list(value)


def _mapped(value: Any) -> Mapping[Any, Any]:
    if isinstance(value, str):
        value = orjson.loads(value)
    if not isinstance(value, Mapping):
        raise TypeError("it is no object")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, float | Decimal) and value != int(value):
        raise ValueError("it is no whole number")
    return int(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() not in ("true", "false"):
            raise ValueError("only true and false are truth values")
        return value.lower() == "true"
    return bool(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return orjson.dumps(value).decode() if isinstance(value, dict | list | bool) else str(value)


def _moment(value: Any) -> datetime:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return datetime.fromtimestamp(float(value) / 1000, UTC)
    if isinstance(value, str):
        return _moment(int(value)) if value.lstrip("-").isdigit() else datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise TypeError("it is no moment")
    return value


def _day(value: Any) -> date:
    if isinstance(value, str) and len(value) == 10:
        return date.fromisoformat(value)
    return value if type(value) is date else _moment(value).date()


def _time(value: Any) -> Any:
    return time.fromisoformat(value) if isinstance(value, str) else value


def _bytes(value: Any) -> bytes:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else bytes(value)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


_SCALARS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint", "varint", "counter"), _integer),
    **dict.fromkeys(("float", "double"), float),
    **dict.fromkeys(("text", "varchar", "ascii", "inet"), _text),
    **dict.fromkeys(("uuid", "timeuuid"), _uuid),
    "decimal": lambda value: Decimal(str(value)),
    "boolean": _boolean,
    "timestamp": _moment,
    "date": _day,
    "time": _time,
    "blob": _bytes,
}


def out_of(value: Any, kind: Any = None) -> Any:
    """The value of a column as rows hold it; `kind` is the driver's type where it is known."""
    if kind is not None and getattr(kind, "typename", "").endswith("VectorType"):
        return None if value is None else {"values": [out_of(item) for item in value]}
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {str(out_of(key)): out_of(item) for key, item in value.items()}
    if hasattr(value, "_asdict"):
        return {name: out_of(item) for name, item in value._asdict().items()}
    if isinstance(value, Sequence | AbstractSet):
        return [out_of(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    """Identifiers, days, durations and addresses: those that JSON has no form for become text."""
    if isinstance(value, date | time):
        return value
    if hasattr(value, "date") and callable(value.date):  # days and times of the driver, which know no time zone
        return value.date()
    return value.time() if hasattr(value, "time") and callable(value.time) else str(value)
