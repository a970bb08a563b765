"""`cast`: turns a whole key or value into another type."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.transform.avro import avro_json
from langstream.agents.transform.part import parts
from langstream.agents.transform.step import Apply, Conditional, TransformProcessor, step_when
from langstream.agents.transform.types import SCALAR_TYPES, one_of, schema_of
from langstream.agents.working_record import WorkingRecord, schema_type_of
from langstream.configuration.model import Text
from langstream.errors import RecordError
from langstream.expressions import SchemaType, coerce
from langstream.records import AvroValue, dump_json


class CastConfiguration(Conditional):
    """Options of `cast`."""

    schema_type: Annotated[SchemaType, BeforeValidator(one_of(SCALAR_TYPES)), schema_of(SCALAR_TYPES)] = Field(
        description="The type to become, in upper case."
    )
    part: Text | None = Field(default=None, description="`key` or `value`; without it, both.")


def create(configuration: CastConfiguration) -> TransformProcessor:
    """The processor."""
    apply = _cast(configuration.schema_type, *parts(configuration.part))
    return TransformProcessor(step_when(configuration.when, apply, "cast"))


def _cast(target: SchemaType, in_key: bool, in_value: bool) -> Apply:
    def cast(working: WorkingRecord) -> None:
        if in_value and _differs(working.value_type, target):
            content = _converted("value", working.value, target)
            working.replace_value(content, schema_type_of(content))
        if in_key and _differs(working.key_type, target):
            content = _converted("key", working.key, target)
            working.replace_key(content, schema_type_of(content))
        working.settle()

    return cast


def _differs(present: str | None, target: SchemaType) -> bool:
    """Null stays null; what has the type already, JSON text among it, stays as it is."""
    return present is not None and present != target.value


def _converted(part: str, content: Any, target: SchemaType) -> Any:
    if target is SchemaType.STRING:
        if isinstance(content, AvroValue):
            return avro_json(content)
        if isinstance(content, dict | list):
            return dump_json(content).decode()
    try:
        return coerce(content, target)
    except RecordError as error:
        raise RecordError(f"the {part} cannot be cast to {target.value}: {error}") from error


AGENT = AgentType(
    name="cast",
    component_type=ComponentType.PROCESSOR,
    configuration=CastConfiguration,
    create=create,
    summary="Turns the whole key, value or both into another type.",
    description="Null stays null. Objects and lists become JSON text by a cast to STRING.",
    composable=Composable.OPTIONAL,
    family="transform",
    example="""\
- type: cast
  input: amounts
  output: numbers
  configuration:
    schema-type: DOUBLE
    part: value
""",
    example_input="""\
- { key: apples, value: "42" }
""",
    example_output="""\
- { key: apples, value: "42.0" }
""",
)
