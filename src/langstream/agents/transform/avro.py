"""Changes to Avro records: fields removed, merged, added, flattened. Schemas are rebuilt once per input schema."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from langstream.agents.transform.avro_schema import (
    Field,
    RecordSchema,
    Schema,
    assembled,
    check_name,
    is_nullable,
    nullable,
    opened,
    record_branch,
)
from langstream.agents.transform.avro_types import avro_datum, declared_type, inferred_type
from langstream.errors import RecordError
from langstream.expressions.types import SchemaType
from langstream.records import AvroValue, dump_json

MAX_SCHEMAS: Final = 256
"""How many rebuilt schemas one agent remembers; producers use few."""


@dataclass(frozen=True, slots=True)
class Addition:
    """A field to set on an Avro record. `declared` None: the type follows the value."""

    name: str
    value: Any
    declared: SchemaType | None = None
    optional: bool = True


class AvroShapes:
    """The rebuilt schemas of one agent, remembered by the schemas they were made from."""

    def __init__(self) -> None:
        self._made: dict[Hashable, tuple[Sequence[Schema], Any]] = {}

    def without(self, value: AvroValue, names: Sequence[str]) -> AvroValue:
        """The record without these fields; the very value if it has none of them."""

        def make() -> dict[str, Any] | None:
            record = opened(value.schema)
            kept = [field for field in record.fields if field["name"] not in names]
            return None if len(kept) == len(record.fields) else assembled(record, kept)

        if not isinstance(value.value, dict):
            return value
        schema = self._remembered((value.schema,), (), make)
        if schema is None:
            return value
        return AvroValue(schema, {name: item for name, item in value.value.items() if name not in names})

    def merged(self, key: AvroValue, value: AvroValue) -> AvroValue:
        """The key's fields that the value lacks, then the value's, under the value's name."""

        def make() -> dict[str, Any]:
            key_record, record = opened(key.schema), opened(value.schema)
            own = {field["name"] for field in record.fields}
            added = [field for field in key_record.fields if field["name"] not in own]
            return assembled(record, (*added, *record.fields), key_record)

        schema = self._remembered((key.schema, value.schema), (), make)
        return AvroValue(schema, {**key.value, **value.value})

    def extended(self, value: AvroValue, additions: Sequence[Addition]) -> AvroValue:
        """The record with fields set: known ones keep their place, new ones come last."""
        record = self._opened(value.schema)
        types = [_type_of(addition, value.value, record) for addition in additions]

        def make() -> dict[str, Any]:
            changed = {
                addition.name: _field(addition.name, schema) for addition, schema in zip(additions, types, strict=True)
            }
            fields = [changed.pop(field["name"], field) for field in record.fields]
            return assembled(record, (*fields, *changed.values()))

        signature = orjson.dumps([(addition.name, schema) for addition, schema in zip(additions, types, strict=True)])
        schema = self._remembered((value.schema,), signature, make)
        return AvroValue(schema, {**value.value, **{item.name: avro_datum(item.value) for item in additions}})

    def flattened(self, value: AvroValue, delimiter: str) -> AvroValue:
        """Nested records expanded into their fields, names joined by the delimiter."""

        def make() -> tuple[dict[str, Any], tuple[tuple[str, tuple[str, ...]], ...]]:
            record = opened(value.schema)
            leaves = tuple(_leaves(record.fields, record, delimiter, (), False, frozenset()))
            paths = tuple((field["name"], path) for field, path in leaves)
            return assembled(record, (field for field, _ in leaves)), paths

        schema, paths = self._remembered((value.schema,), delimiter, make)
        return AvroValue(schema, {name: _at(value.value, path) for name, path in paths})

    def _opened(self, schema: Mapping[str, Any]) -> RecordSchema:
        record: RecordSchema = self._remembered((schema,), None, lambda: opened(schema))
        return record

    def _remembered(self, schemas: Sequence[Schema], variant: Hashable, make: Callable[[], Any]) -> Any:
        """What was made from these very schema objects, which are kept so that their identities stay theirs."""
        identity = (*map(id, schemas), variant)
        found = self._made.get(identity)
        if found is None:
            if len(self._made) >= MAX_SCHEMAS:
                self._made.clear()
            found = self._made[identity] = (schemas, make())
        return found[1]


def _field(name: str, schema: Schema) -> Field:
    return {"name": name, "type": schema, **({"default": None} if is_nullable(schema) else {})}


def _type_of(addition: Addition, data: Mapping[str, Any], record: RecordSchema) -> Schema:
    check_name(addition.name)
    if addition.value is None and not addition.optional:
        raise RecordError(f"the result for {addition.name!r} is null, but the field is not optional")
    if addition.declared is not None:
        schema = declared_type(addition.declared, addition.value)
    else:
        schema = _known_type(addition.value, data, record) or inferred_type(avro_datum(addition.value))
    return nullable(schema) if addition.optional else schema


def _known_type(result: Any, data: Mapping[str, Any], record: RecordSchema) -> Schema | None:
    """The type of a structure that was taken from the record as it is: a nested record stays one."""
    if isinstance(result, AvroValue):
        return result.schema
    return _find(result, data, record.fields, record) if isinstance(result, dict | list) else None


def _find(result: Any, data: Mapping[str, Any], fields: Sequence[Field], record: RecordSchema) -> Schema | None:
    for field in fields:
        item = data.get(field["name"])
        if item is result:
            branch = record_branch(field["type"], record.definitions) if isinstance(item, dict) else None
            return branch or next((b for b in _branches(field["type"]) if _fits(b, item)), None)
        nested = record_branch(field["type"], record.definitions)
        if nested is not None and isinstance(item, dict):
            found = _find(result, item, nested["fields"], record)
            if found is not None:
                return found
    return None


def _branches(schema: Schema) -> Sequence[Schema]:
    return schema if isinstance(schema, list) else (schema,)


def _fits(schema: Schema, item: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == ("map" if isinstance(item, dict) else "array")


def _leaves(
    fields: Sequence[Field],
    record: RecordSchema,
    delimiter: str,
    path: tuple[str, ...],
    optional: bool,
    within: frozenset[str],
) -> Iterator[tuple[Field, tuple[str, ...]]]:
    """The flat fields, each with the path to its data. `optional`: something above may be null."""
    for field in fields:
        here = (*path, field["name"])
        nested = record_branch(field["type"], record.definitions)
        if nested is None:
            flat = {**field, "name": delimiter.join(here)}
            if optional and not is_nullable(field["type"]):
                flat |= {"type": nullable(field["type"]), "default": None}
            yield flat, here
        elif nested["name"] in within:
            raise RecordError(f"the record {nested['name']!r} contains itself and cannot be flattened")
        else:
            below = optional or is_nullable(field["type"])
            yield from _leaves(nested["fields"], record, delimiter, here, below, within | {nested["name"]})


def _at(data: Any, path: Sequence[str]) -> Any:
    for name in path:
        if data is None:
            return None
        if not isinstance(data, dict):
            raise RecordError(f"{'.'.join(path)}: a record was expected, but {type(data).__name__} data found")
        data = data.get(name)
    return data


def avro_json(value: AvroValue) -> str:
    """The value in Avro's JSON form, unions without the names of their branches: dates are numbers, NaN is null."""
    import fastavro

    out = io.StringIO()
    try:
        fastavro.json_writer(out, dict(value.schema), [value.value], write_union_type=False)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise RecordError(f"the Avro value does not fit its schema: {error}") from error
    return dump_json(json.loads(out.getvalue())).decode()
