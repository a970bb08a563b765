"""Avro schemas taken apart and put together again, for transforms that change which fields a record has.

Names are resolved before anything moves: a field that only referred to a type by name still knows its definition when
the field that defined it is gone.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from langstream.errors import RecordError

Schema: TypeAlias = Any
"""The JSON form: a name, a dict, or a list (a union)."""

Field: TypeAlias = dict[str, Any]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMED: Final = frozenset(("record", "error", "enum", "fixed"))
_RECORDS: Final = frozenset(("record", "error"))


@dataclass(frozen=True, slots=True)
class RecordSchema:
    """A record's schema with all names in full. `definitions` has the named types that occur in it."""

    written: Mapping[str, Any]
    fields: tuple[Field, ...]
    definitions: Mapping[str, Schema]


def opened(schema: Mapping[str, Any]) -> RecordSchema:
    """The schema, ready to be taken apart. Raises RecordError if it is not one of a record."""
    from fastavro.schema import SchemaParseException, parse_schema

    try:
        parsed = parse_schema(copy.deepcopy(_plain(schema)))
    except (SchemaParseException, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"the Avro schema is invalid: {error}") from error
    if not isinstance(parsed, dict) or parsed.get("type") not in _RECORDS:
        raise RecordError("the Avro value is not a record")
    return RecordSchema(schema, tuple(parsed["fields"]), parsed.get("__named_schemas", {}))


def assembled(base: RecordSchema, fields: Iterable[Field], *others: RecordSchema) -> dict[str, Any]:
    """A schema with the base's name, namespace and properties, and these fields.

    Raises RecordError if two fields have one name, or `others` define a type of the base differently.
    """
    definitions = dict(base.definitions)
    for other in others:
        for name, definition in other.definitions.items():
            if definitions.setdefault(name, definition) != definition:
                raise RecordError(f"the Avro type {name!r} is defined in two ways")
    made = {name: value for name, value in base.written.items() if name != "fields" and not name.startswith("__")}
    seen: set[str] = {_full_name(base.written)}
    names: set[str] = set()
    made["fields"] = []
    for field in fields:
        if field["name"] in names:
            raise RecordError(f"two fields would have the name {field['name']!r}")
        names.add(field["name"])
        made["fields"].append({**field, "type": _spelled_out(field["type"], definitions, seen)})
    return made


def without_null(schema: Schema) -> list[Schema]:
    """The branches of a type other than null; a single one for what is no union."""
    return [branch for branch in schema if branch != "null"] if isinstance(schema, list) else [schema]


def is_nullable(schema: Schema) -> bool:
    """Whether null is a value of the type."""
    return schema == "null" or (isinstance(schema, list) and "null" in schema)


def nullable(schema: Schema) -> Schema:
    """The type with null, as the first branch."""
    return schema if is_nullable(schema) else ["null", *without_null(schema)]


def record_branch(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Any] | None:
    """The record a type is, or the first record of a union; None if there is none."""
    for branch in schema if isinstance(schema, list) else (schema,):
        found = definitions.get(branch) if isinstance(branch, str) else branch
        if isinstance(found, dict) and found.get("type") in _RECORDS:
            return found
    return None


def check_name(name: str) -> None:
    """Raises RecordError for what cannot be the name of an Avro field."""
    if not _NAME.fullmatch(name):
        raise RecordError(f"{name!r} cannot be an Avro field: names have letters, digits and underscores")


def _spelled_out(schema: Schema, definitions: Mapping[str, Schema], seen: set[str]) -> Schema:
    """Every named type is defined where it first occurs, and named from there on."""
    if isinstance(schema, list):
        return [_spelled_out(branch, definitions, seen) for branch in schema]
    if isinstance(schema, str):
        if schema in seen or schema not in definitions:
            return schema
        return _spelled_out(definitions[schema], definitions, seen)
    kind = schema.get("type")
    if kind in _NAMED:
        if schema["name"] in seen:
            return schema["name"]
        seen.add(schema["name"])
    return dict(_members(schema, definitions, seen))


def _members(schema: Mapping[str, Any], definitions: Mapping[str, Schema], seen: set[str]) -> Iterator[tuple[str, Any]]:
    for name, value in schema.items():
        if name == "fields":
            yield name, [{**field, "type": _spelled_out(field["type"], definitions, seen)} for field in value]
        elif name in ("items", "values") or (name == "type" and not isinstance(value, str)):
            yield name, _spelled_out(value, definitions, seen)
        elif not name.startswith("__"):
            yield name, value


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without what fastavro leaves in parsed schemas, so that it parses this one."""
    return {name: value for name, value in schema.items() if not name.startswith("__")}


def _full_name(schema: Mapping[str, Any]) -> str:
    name, namespace = str(schema["name"]), schema.get("namespace")
    return name if "." in name or not namespace else f"{namespace}.{name}"
