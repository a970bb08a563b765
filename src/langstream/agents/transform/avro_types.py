"""The Avro type of a computed value: the declared one, or one inferred from the value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from langstream.agents.transform.avro_schema import Schema, is_nullable, without_null
from langstream.errors import RecordError
from langstream.expressions.types import SchemaType
from langstream.records import AvroValue

_DATE: Final = {"type": "int", "logicalType": "date"}
_TIME: Final = {"type": "int", "logicalType": "time-millis"}
_TIMESTAMP: Final = {"type": "long", "logicalType": "timestamp-millis"}

_DECLARED: Final[Mapping[SchemaType, Schema]] = {
    SchemaType.STRING: "string",
    SchemaType.INT8: "int",
    SchemaType.INT16: "int",
    SchemaType.INT32: "int",
    SchemaType.INT64: "long",
    SchemaType.FLOAT: "float",
    SchemaType.DOUBLE: "double",
    SchemaType.BOOLEAN: "boolean",
    SchemaType.BYTES: "bytes",
    SchemaType.DATE: _DATE,
    SchemaType.LOCAL_DATE: _DATE,
    SchemaType.TIME: _TIME,
    SchemaType.LOCAL_TIME: _TIME,
    SchemaType.TIMESTAMP: _TIMESTAMP,
    SchemaType.INSTANT: _TIMESTAMP,
    SchemaType.DATETIME: _TIMESTAMP,
    SchemaType.LOCAL_DATE_TIME: _TIMESTAMP,
}


def declared_type(declared: SchemaType, value: Any) -> Schema:
    """The Avro type of a declared one; a decimal has the precision and scale of the value."""
    return _decimal_type(value) if declared is SchemaType.DECIMAL else _DECLARED[declared]


def inferred_type(value: Any) -> Schema:
    """A type that holds the value: integers are long, lists arrays, objects maps. Raises RecordError for sets."""
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return _TIMESTAMP
    if isinstance(value, Decimal):
        return _decimal_type(value)
    if isinstance(value, list | tuple):
        return {"type": "array", "items": _common_type(value)}
    if isinstance(value, dict):
        return {"type": "map", "values": _common_type(value.values())}
    for kind, schema in _SCALARS:
        if isinstance(value, kind):
            return schema
    raise RecordError(f"a {type(value).__name__} has no Avro type")


_SCALARS: Final[tuple[tuple[type, Schema], ...]] = (
    (str, "string"),
    (bool, "boolean"),
    (int, "long"),
    (float, "double"),
    (bytes, "bytes"),
    (date, _DATE),
    (time, _TIME),
)


def _decimal_type(value: Any) -> Schema:
    """Precision and scale of the decimal; those of zero for null."""
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    if not isinstance(exponent, int):
        raise RecordError(f"the decimal {value} has no Avro form")
    scale = max(0, -exponent)
    digits = len(value.as_tuple().digits) + max(0, exponent) if isinstance(value, Decimal) else 1
    return {"type": "bytes", "logicalType": "decimal", "precision": max(digits, scale, 1), "scale": scale}


def _common_type(values: Iterable[Any]) -> Schema:
    """One type for all: that of each if they agree, else a union. No values: text."""
    branches: list[Schema] = []
    for value in values:
        _merge(branches, inferred_type(value))
    if not branches:
        return "string"
    return branches[0] if len(branches) == 1 else sorted(branches, key=lambda branch: branch != "null")


def _merge(branches: list[Schema], added: Schema) -> None:
    """Add a branch; a union has at most one array and one map, so these merge inside."""
    if added in branches:
        return
    for index, branch in enumerate(branches):
        if isinstance(branch, dict) and isinstance(added, dict) and branch["type"] == added["type"]:
            inner = {"array": "items", "map": "values"}.get(branch["type"])
            if inner is None:
                raise RecordError(f"values of the types {branch} and {added} do not fit into one list or map")
            branches[index] = {**branch, inner: _united(branch[inner], added[inner])}
            return
    branches.append(added)


def _united(first: Schema, second: Schema) -> Schema:
    branches = list(first) if isinstance(first, list) else [first]
    for branch in (*(["null"] if is_nullable(second) else []), *without_null(second)):
        if branch != "null" or "null" not in branches:
            _merge(branches, branch)
    return branches[0] if len(branches) == 1 else sorted(branches, key=lambda branch: branch != "null")


def avro_datum(value: Any) -> Any:
    """The value as Avro holds it: local date-times are taken as UTC, nested Avro values as their data."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    return value.value if isinstance(value, AvroValue) else value
