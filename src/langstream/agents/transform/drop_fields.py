"""`drop-fields`: removes top-level fields from the key, the value, or both."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.transform.avro import AvroShapes
from langstream.agents.transform.part import parts
from langstream.agents.transform.shortcut import Shortcut
from langstream.agents.transform.step import Apply, Conditional, TransformProcessor, step_when
from langstream.agents.working_record import WorkingRecord
from langstream.configuration.model import Text
from langstream.records import AvroValue


class DropFieldsConfiguration(Conditional):
    """Options of `drop-fields`."""

    fields: list[Text] = Field(description="Names of top-level fields to remove, taken literally.")
    part: Text | None = Field(default=None, description="`key` or `value`; without it, both.")


def create(configuration: DropFieldsConfiguration) -> TransformProcessor:
    """The processor."""
    names, (in_key, in_value) = tuple(configuration.fields), parts(configuration.part)
    apply = _drop_fields(names, in_key, in_value)
    shortcut = None if in_key else Shortcut(removed=names)
    return TransformProcessor(step_when(configuration.when, apply, "drop-fields", shortcut=shortcut))


def _drop_fields(names: tuple[str, ...], in_key: bool, in_value: bool) -> Apply:
    shapes = AvroShapes()

    def drop(working: WorkingRecord) -> None:
        if in_value:
            content = working.value
            if type(content) is dict:
                owned = False
                for name in names:
                    if name in content:
                        if not owned:
                            content, owned = working.own_value(), True
                        del content[name]
            elif type(content) is AvroValue:
                _drop_avro(content, working.replace_value)
        if in_key:
            content = working.key
            if type(content) is dict:
                owned = False
                for name in names:
                    if name in content:
                        if not owned:
                            content, owned = working.own_key(), True
                        del content[name]
            elif type(content) is AvroValue:
                _drop_avro(content, working.replace_key)

    def _drop_avro(content: AvroValue, replace: Any) -> None:
        changed = shapes.without(content, names)
        if changed is not content:
            replace(changed, "AVRO")

    return drop


AGENT = AgentType(
    name="drop-fields",
    component_type=ComponentType.PROCESSOR,
    configuration=DropFieldsConfiguration,
    create=create,
    summary="Removes top-level fields from JSON objects and Avro records.",
    description="Unknown names, text and null are left as they are; an object without fields remains as `{}`.",
    composable=Composable.OPTIONAL,
    family="transform",
    example="""\
- type: drop-fields
  input: users
  output: public-users
  configuration:
    fields: [password, ssn]
    part: value
""",
    example_input="""\
- value: { name: Ada, password: swordfish, city: London }
""",
    example_output="""\
- value: { name: Ada, city: London }
""",
)
