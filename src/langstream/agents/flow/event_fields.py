"""Fields of events: names and expressions, as `trigger-event`, `log-event` and `timer-source` have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import Field, field_validator

from langstream.agents.transform.results import header_result, json_member
from langstream.agents.working_record import WorkingRecord, result_field, schema_type_of
from langstream.configuration.model import Configuration, Expression, Text
from langstream.errors import RecordError
from langstream.expressions import compile_expression


class EventField(Configuration):
    """One field of an event."""

    name: Text = Field(
        description="Where the result goes: `value`, `key`, `value.NAME`, `key.NAME`, `properties.NAME` or "
        "`messageKey`."
    )
    expression: Expression = Field(description="What is computed.")

    @field_validator("name")
    @classmethod
    def _is_a_place(cls, name: str) -> str:
        if name == "destinationTopic":
            raise ValueError("the topic of an event is not a field: it is chosen by the agent's own options")
        result_field(name)
        return name


def event_builder(fields: Sequence[EventField]) -> Callable[[WorkingRecord, WorkingRecord], None]:
    """A function that computes all fields from one record and then sets them, in order, on another."""
    compiled = tuple((field.name, compile_expression(field.expression), _setter(field.name)) for field in fields)

    def build(source: WorkingRecord, event: WorkingRecord) -> None:
        results = []
        for name, evaluate, store in compiled:
            try:
                results.append((name, store, evaluate(source)))
            except RecordError as error:
                raise RecordError(f"{name}: {error}") from error
        for name, store, result in results:
            try:
                store(event, result)
            except RecordError as error:
                raise RecordError(f"{name}: {error}") from error

    return build


def _setter(name: str) -> Callable[[WorkingRecord, object], None]:
    """As `result_field`; dates in objects become numbers, and a header refuses null."""
    if name == "value":
        return lambda event, result: event.replace_value(result, schema_type_of(result))
    if name == "key":
        return lambda event, result: event.replace_key(result, schema_type_of(result))
    store = result_field(name)
    if name.startswith("properties.") or name == "messageKey":
        return lambda event, result: store(event, header_result(result))
    return lambda event, result: store(event, json_member(result))
