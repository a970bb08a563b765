"""`drop`: drops all records, or those for which a condition holds."""

from __future__ import annotations

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.transform.shortcut import Shortcut
from langstream.agents.transform.step import DROPPED, Conditional, TransformProcessor, step_when
from langstream.configuration.model import Expression


class DropConfiguration(Conditional):
    """Options of `drop`."""

    when: Expression | None = Field(
        default=None, description="Only records for which this holds are dropped; without it, all."
    )


def create(configuration: DropConfiguration) -> TransformProcessor:
    """The processor."""
    return TransformProcessor(
        step_when(configuration.when, lambda _: DROPPED, "drop", reads_value=False, shortcut=Shortcut(drops=True))
    )


AGENT = AgentType(
    name="drop",
    component_type=ComponentType.PROCESSOR,
    configuration=DropConfiguration,
    create=create,
    summary="Drops records: all of them, or those for which `when` holds.",
    composable=Composable.OPTIONAL,
    family="transform",
    example="""\
- type: drop
  input: texts
  output: readable-texts
  configuration:
    when: "properties.language == 'unknown'"
""",
    example_input="""\
- { value: "1 2 3", headers: { language: unknown } }
- { value: "Good morning", headers: { language: en } }
""",
    example_output="""\
- { value: Good morning, headers: { language: en } }
""",
)
