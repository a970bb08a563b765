"""What `compute` does with a record, compiled: one closure per group of fields, in the order of their effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from langstream.agents.transform.avro import Addition, AvroShapes
from langstream.agents.transform.fields import Target, target_of
from langstream.agents.transform.results import check_inferred, check_whole, header_result, json_member
from langstream.agents.transform.step import Apply
from langstream.agents.working_record import WorkingRecord, schema_type_of
from langstream.errors import RecordError
from langstream.expressions import SchemaType, coerce, compile_expression
from langstream.records import AvroValue

Evaluate: TypeAlias = Callable[[WorkingRecord], Any]
Change: TypeAlias = Callable[[WorkingRecord], None]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field to compute. `declared` None: the type follows the result."""

    name: str
    expression: str
    declared: SchemaType | None = None
    optional: bool = True

    @property
    def target(self) -> Target:
        """Where it goes."""
        return target_of(self.name)


def computation(fields: Sequence[FieldSpec]) -> Apply:
    """A step that computes the fields. Within the members of the key, and of the value, no field sees another."""

    def select(root: str, *, members: bool) -> list[FieldSpec]:
        return [field for field in fields if field.target.root == root and (field.target.member is not None) is members]

    changes: list[Change] = []
    changes += [partial(_set_whole_key, _evaluate(field, check_whole)) for field in select("key", members=False)]
    changes += [partial(_set_whole_value, _evaluate(field, check_whole)) for field in select("value", members=False)]
    if in_key := select("key", members=True):
        changes.append(_key_members(in_key))
    if in_value := select("value", members=True):
        changes.append(_value_members(in_value))
    for field in fields:
        if field.target.root in ("destinationTopic", "messageKey"):
            changes.append(partial(_set_route, _as_text(field), field.target.root))
    for field in select("properties", members=True):
        changes.append(partial(_set_property, _as_text(field), field.target.member or ""))
    if any(field.name in ("key", "value", "messageKey") for field in fields):
        changes.append(WorkingRecord.settle)
    return changes[0] if len(changes) == 1 else _in_order(tuple(changes))


def _in_order(changes: Sequence[Change]) -> Apply:
    def apply(working: WorkingRecord) -> None:
        for change in changes:
            change(working)

    return apply


# --- evaluation


def _evaluate(field: FieldSpec, check: Callable[[Any], Any] = check_inferred) -> Evaluate:
    """The field's result in its type. Errors name the field."""
    evaluate = compile_expression(field.expression)
    convert = check if field.declared is None else _conversion(field.declared)
    name = field.name

    def result(working: WorkingRecord) -> Any:
        try:
            return convert(evaluate(working))
        except RecordError as error:
            raise RecordError(f"{name}: {error}") from error

    return result


def _conversion(declared: SchemaType) -> Callable[[Any], Any]:
    exact = {SchemaType.STRING: str, SchemaType.DOUBLE: float, SchemaType.BOOLEAN: bool}.get(declared)

    def convert(result: Any) -> Any:
        # the usual case first: it is one already
        return result if type(result) is exact else coerce(result, declared)

    return convert


def _as_text(field: FieldSpec) -> Evaluate:
    return _evaluate(FieldSpec(field.name, field.expression), header_result)


def _as_member(field: FieldSpec) -> Evaluate:
    evaluate = _evaluate(field)
    return lambda working: json_member(evaluate(working))


# --- storing


def _set_whole_key(evaluate: Evaluate, working: WorkingRecord) -> None:
    if working.key is not None and type(working.key) is not AvroValue:
        result = evaluate(working)
        working.replace_key(result, schema_type_of(result))


def _set_whole_value(evaluate: Evaluate, working: WorkingRecord) -> None:
    if type(working.value) is not AvroValue:
        result = evaluate(working)
        working.replace_value(result, schema_type_of(result))


def _set_route(evaluate: Evaluate, root: str, working: WorkingRecord) -> None:
    if root == "messageKey":
        working.message_key = evaluate(working)
    else:
        working.destination_topic = evaluate(working)


def _set_property(evaluate: Evaluate, name: str, working: WorkingRecord) -> None:
    working.set_property(name, evaluate(working))


def _value_members(fields: Sequence[FieldSpec]) -> Change:
    in_avro = _avro_members(fields)
    members = [(field.target.member or "", _as_member(field)) for field in fields]
    if len(members) == 1:
        name, evaluate = members[0]

        def set_one(working: WorkingRecord) -> None:
            content = working.value
            if type(content) is dict:
                working.set_value_field(name, evaluate(working))
            elif type(content) is AvroValue:
                working.replace_value(in_avro(content, working), "AVRO")

        return set_one

    def set_all(working: WorkingRecord) -> None:
        content = working.value
        if type(content) is dict:
            results = [evaluate(working) for _, evaluate in members]
            working.freeze_for(results)
            for (name, _), result in zip(members, results, strict=True):
                working.set_value_field(name, result)
        elif type(content) is AvroValue:
            working.replace_value(in_avro(content, working), "AVRO")

    return set_all


def _key_members(fields: Sequence[FieldSpec]) -> Change:
    in_avro = _avro_members(fields)
    members = [(field.target.member or "", _as_member(field)) for field in fields]

    def set_all(working: WorkingRecord) -> None:
        content = working.key
        if type(content) is dict:
            results = [evaluate(working) for _, evaluate in members]
            working.freeze_for(results)
            for (name, _), result in zip(members, results, strict=True):
                working.set_key_field(name, result)
        elif type(content) is AvroValue:
            working.replace_key(in_avro(content, working), "AVRO")

    return set_all


def _avro_members(fields: Sequence[FieldSpec]) -> Callable[[AvroValue, WorkingRecord], AvroValue]:
    shapes = AvroShapes()
    members = [(field, _evaluate(field)) for field in fields]

    def extended(content: AvroValue, working: WorkingRecord) -> AvroValue:
        additions = [
            Addition(field.target.member or "", evaluate(working), field.declared, field.optional)
            for field, evaluate in members
        ]
        return shapes.extended(content, additions)

    return extended
