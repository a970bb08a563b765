"""`unwrap-key-value`: takes the key away, keeping either the value or the key as the new value."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.transform.step import Apply, Conditional, TransformProcessor, step_when
from langstream.agents.working_record import WorkingRecord


class UnwrapKeyValueConfiguration(Conditional):
    """Options of `unwrap-key-value`."""

    unwrap_key: bool = Field(
        default=False,
        alias="unwrapKey",
        validation_alias=AliasChoices("unwrapKey", "unwrap-key"),
        description="Whether the key becomes the value. Also written `unwrap-key`.",
    )


def create(configuration: UnwrapKeyValueConfiguration) -> TransformProcessor:
    """The processor."""
    apply = _unwrap(configuration.unwrap_key)
    return TransformProcessor(step_when(configuration.when, apply, "unwrap-key-value", reads_value=False))


def _unwrap(unwrap_key: bool) -> Apply:
    def unwrap(working: WorkingRecord) -> None:
        if working.key is None:
            return
        if unwrap_key:
            working.replace_value(working.key, working.key_type)
        working.replace_key(None, None)

    return unwrap


AGENT = AgentType(
    name="unwrap-key-value",
    component_type=ComponentType.PROCESSOR,
    configuration=UnwrapKeyValueConfiguration,
    create=create,
    summary="Takes the key away; with `unwrapKey` the key becomes the value.",
    description="Records without a key are left as they are.",
    composable=Composable.OPTIONAL,
    family="transform",
    example="""\
- type: unwrap-key-value
  input: orders
  output: order-keys
  configuration:
    unwrapKey: true
""",
    example_input="""\
- { key: { id: 7 }, value: { total: 12.5 } }
""",
    example_output="""\
- value: { id: 7 }
""",
)
