"""What `compute` does with a record, compiled: one closure per group of fields, in the order of their effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from langstream.agents.transform.avro import Addition, AvroShapes
from langstream.agents.transform.fields import Target, target_of
from langstream.agents.transform.results import check_inferred, check_whole, header_result, json_member
from langstream.agents.transform.shortcut import Setting, Shortcut
from langstream.agents.transform.step import Apply
from langstream.agents.working_record import CONTAINERS, WorkingRecord, schema_type_of
from langstream.errors import RecordError
from langstream.expressions import SchemaType, coerce, compile_expression
from langstream.expressions.numbers import INT64_MAX, INT64_MIN
from langstream.expressions.parser import parse
from langstream.records import AvroValue

Evaluate: TypeAlias = Callable[[WorkingRecord], Any]
Convert: TypeAlias = Callable[[Any], Any]
Change: TypeAlias = Callable[[WorkingRecord], None]

_NEVER_CONVERTED: Final = frozenset((str, float, bool))
"""Classes of results that are stored as they are anywhere, unless a type is declared."""

_EXACT: Final = {SchemaType.STRING: str, SchemaType.DOUBLE: float, SchemaType.BOOLEAN: bool}
"""The classes of results that have the declared type already."""


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
    changes += [partial(_set_whole_key, _evaluate(field, _whole(field))) for field in select("key", members=False)]
    changes += [partial(_set_whole_value, _evaluate(field, _whole(field))) for field in select("value", members=False)]
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


def computation_shortcut(fields: Sequence[FieldSpec]) -> Shortcut | None:
    """The same for fields that are members of the value."""
    if not all(field.target.root == "value" and field.target.member for field in fields):
        return None
    return Shortcut(
        settings=tuple(
            Setting(
                field.target.member or "",
                parse(field.expression),
                _kept(field),
                field.declared is None,
                _json_result(field),
            )
            for field in fields
        )
    )


def _in_order(changes: Sequence[Change]) -> Apply:
    def apply(working: WorkingRecord) -> None:
        for change in changes:
            change(working)

    return apply


# --- evaluation


def _evaluate(field: FieldSpec, convert: Convert | None = None) -> Evaluate:
    """The field's result, converted (without `convert`: to its type). Errors name the field."""
    evaluate = compile_expression(field.expression)
    if convert is None:
        convert = check_inferred if field.declared is None else _conversion(field.declared)
    finish, name, kept = convert, field.name, _kept(field)

    def result(working: WorkingRecord) -> Any:
        try:
            found = evaluate(working)
            # the usual case first: text where text is wanted
            return found if type(found) in kept else finish(found)
        except RecordError as error:
            raise RecordError(f"{name}: {error}") from error

    return result


def _kept(field: FieldSpec) -> frozenset[type]:
    """Classes of results that need no conversion."""
    if field.declared is None:
        return _NEVER_CONVERTED
    exact = _EXACT.get(field.declared)
    return frozenset(() if exact is None else (exact,))


def _conversion(declared: SchemaType) -> Convert:
    return lambda result: coerce(result, declared)


def _whole(field: FieldSpec) -> Convert | None:
    return check_whole if field.declared is None else None


def _as_text(field: FieldSpec) -> Evaluate:
    return _evaluate(FieldSpec(field.name, field.expression, SchemaType.STRING), header_result)


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
    if len(fields) == 1:
        return _value_member(fields[0])
    in_avro = _avro_members(fields)
    in_object = _object_members(fields, WorkingRecord.set_value_field)

    def set_members(working: WorkingRecord) -> None:
        content = working.value
        if type(content) is dict:
            in_object(working)
        elif type(content) is AvroValue:
            working.replace_value(in_avro(content, working), "AVRO")

    return set_members


def _value_member(field: FieldSpec) -> Change:
    """The most frequent computation, with as few calls as can be."""
    in_avro = _avro_members((field,))
    member, name, kept, integers = field.target.member or "", field.name, _kept(field), field.declared is None
    evaluate, finish = compile_expression(field.expression), _json_result(field)

    def set_member(working: WorkingRecord) -> None:
        content = working.value
        if type(content) is dict:
            try:
                result = evaluate(working)
                kind = type(result)
                if kind not in kept and not (integers and kind is int and INT64_MIN <= result <= INT64_MAX):
                    result = finish(result)
                    if type(result) in CONTAINERS:
                        working.freeze()
            except RecordError as error:
                raise RecordError(f"{name}: {error}") from error
            working.own_value()[member] = result
        elif type(content) is AvroValue:
            working.replace_value(in_avro(content, working), "AVRO")

    return set_member


def _key_members(fields: Sequence[FieldSpec]) -> Change:
    in_avro = _avro_members(fields)
    in_object = _object_members(fields, WorkingRecord.set_key_field)

    def set_members(working: WorkingRecord) -> None:
        content = working.key
        if type(content) is dict:
            in_object(working)
        elif type(content) is AvroValue:
            working.replace_key(in_avro(content, working), "AVRO")

    return set_members


def _object_members(fields: Sequence[FieldSpec], store: Callable[[WorkingRecord, str, Any], None]) -> Change:
    members = [(field.target.member or "", _evaluate(field, _json_result(field))) for field in fields]

    def set_all(working: WorkingRecord) -> None:
        results = [evaluate(working) for _, evaluate in members]
        working.freeze_for(results)
        for (member, _), result in zip(members, results, strict=True):
            store(working, member, result)

    return set_all


def _json_result(field: FieldSpec) -> Convert:
    """From the result of the field's expression to what a JSON object holds."""
    if field.declared is None:
        return lambda result: json_member(check_inferred(result))
    convert = _conversion(field.declared)
    return lambda result: json_member(convert(result))


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
