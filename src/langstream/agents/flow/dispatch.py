"""`dispatch`: sends records to topics, or drops them, by conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.transform.step import DROPPED, Apply, Step, TransformProcessor, mentions_value
from langstream.agents.working_record import WorkingRecord
from langstream.configuration.model import Configuration, Expression, TopicName
from langstream.expressions import compile_condition
from langstream.records import Dispatched, Record


class Route(Configuration):
    """Where records go for which a condition holds."""

    when: Expression = Field(description="The condition.")
    destination: TopicName | None = Field(default=None, description="The topic to send to; not with `action: drop`.")
    action: Literal["dispatch", "drop"] = Field(
        default="dispatch", description="`dispatch` sends to the destination, `drop` ends the record here."
    )

    @model_validator(mode="after")
    def _destination_fits_action(self) -> Self:
        if self.action == "drop" and self.destination is not None:
            raise ValueError("a route with the action 'drop' cannot have a destination: remove one of both")
        if self.action == "dispatch" and not self.destination:
            raise ValueError("a route with the action 'dispatch' needs a destination, the topic to send records to")
        return self


class DispatchConfiguration(Configuration):
    """Options of `dispatch`."""

    routes: list[Route] = Field(default=[], description="Tried in order; the first whose condition holds is taken.")


def create(configuration: DispatchConfiguration) -> TransformProcessor:
    """The processor."""
    reads_value = bool(configuration.routes) and mentions_value(configuration.routes[0].when)
    return TransformProcessor(Step(_dispatch(configuration.routes), "dispatch", reads_value))


def _dispatch(routes: Sequence[Route]) -> Apply:
    compiled = tuple((compile_condition(route.when), route.destination) for route in routes)

    def dispatch(working: WorkingRecord) -> Sequence[Record] | None:
        for holds, destination in compiled:
            if holds(working):
                return (Dispatched.to(destination, working.to_record()),) if destination else DROPPED
        return None

    return dispatch


AGENT = AgentType(
    name="dispatch",
    component_type=ComponentType.PROCESSOR,
    configuration=DispatchConfiguration,
    create=create,
    summary="Sends records to topics, or drops them, by conditions.",
    description="A record goes, as it is, where the first fitting route says; without one, on to the agent's output.",
    family="flow",
    example="""\
- type: dispatch
  input: messages
  output: others
  configuration:
    routes:
      - { when: "properties.spam == 'yes'", action: drop }
      - { when: "properties.language == 'en'", destination: english }
""",
    example_input="""\
- { value: "Buy now", headers: { language: en, spam: "yes" } }
- { value: "Good morning", headers: { language: en } }
- { value: "Guten Morgen", headers: { language: de } }
""",
    example_output="""\
- { topic: english, value: Good morning, headers: { language: en } }
- { value: Guten Morgen, headers: { language: de } }
""",
)
