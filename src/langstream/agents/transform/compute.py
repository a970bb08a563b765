"""`compute`: sets fields to the results of expressions."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.transform.computation import FieldSpec, computation, computation_shortcut
from langstream.agents.transform.fields import target_of
from langstream.agents.transform.step import Conditional, TransformProcessor, step_when
from langstream.agents.transform.types import FIELD_TYPES, one_of, schema_of
from langstream.configuration.model import Configuration, Expression, Text
from langstream.expressions import SchemaType


class ComputeField(Configuration):
    """One computed field."""

    name: Text = Field(
        description="Where the result goes: `value`, `key`, `value.NAME`, `key.NAME`, `properties.NAME`, "
        "`messageKey` (the key of the result) or `destinationTopic` (the topic of the result).",
    )
    expression: Expression = Field(description="What is computed.")
    type: Annotated[SchemaType | None, BeforeValidator(one_of(FIELD_TYPES)), schema_of(FIELD_TYPES)] = Field(
        default=None, description="Type of the result, in upper case. Without it, that of the value computed."
    )
    optional: bool = Field(default=True, description="Whether the field may be null; matters to Avro only.")

    @field_validator("name")
    @classmethod
    def _is_a_target(cls, name: str) -> str:
        target_of(name)
        return name

    @model_validator(mode="after")
    def _whole_values_are_no_dates(self) -> Self:
        if self.name in ("value", "key") and self.type is SchemaType.DATE:
            raise ValueError(f"{self.name!r} cannot have the type DATE: use LOCAL_DATE or INSTANT")
        return self


class ComputeConfiguration(Conditional):
    """Options of `compute`."""

    fields: list[ComputeField] = Field(description="The computed fields.")

    @field_validator("fields")
    @classmethod
    def _names_are_unique(cls, fields: list[ComputeField]) -> list[ComputeField]:
        names = [field.name for field in fields]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the field {name!r} is computed twice")
        return fields


def create(configuration: ComputeConfiguration) -> TransformProcessor:
    """The processor."""
    fields = [
        FieldSpec(field.name, field.expression, _meant(field.type), field.optional) for field in configuration.fields
    ]
    shortcut = computation_shortcut(fields)
    return TransformProcessor(step_when(configuration.when, computation(fields), "compute", shortcut=shortcut))


def _meant(declared: SchemaType | None) -> SchemaType | None:
    """A DATE of `compute` has no time of day."""
    return SchemaType.LOCAL_DATE if declared is SchemaType.DATE else declared


AGENT = AgentType(
    name="compute",
    component_type=ComponentType.PROCESSOR,
    configuration=ComputeConfiguration,
    create=create,
    summary="Sets fields of the record to the results of expressions.",
    description=(
        "Whole keys and values come first, then fields of the key, fields of the value, `destinationTopic` and "
        "`messageKey`, and headers; later groups see the results of earlier ones. All fields of the key (and all of "
        "the value) are computed before any is stored. Fields of a value that is not structured are left out."
    ),
    composable=Composable.OPTIONAL,
    family="transform",
    example="""\
- type: compute
  input: people
  output: named-people
  configuration:
    fields:
      - { name: value.full, expression: "fn:concat(value.first, ' ', value.last)", type: STRING }
      - { name: properties.tenant, expression: value.tenant }
""",
    example_input="""\
- value: { first: Ada, last: Lovelace, tenant: acme }
""",
    example_output="""\
- value: { first: Ada, last: Lovelace, tenant: acme, full: Ada Lovelace }
  headers: { tenant: acme }
""",
)
