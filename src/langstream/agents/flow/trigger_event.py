"""`trigger-event`: writes an event, a changed copy of the record, to a topic."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.flow.event_fields import EventField, event_builder
from langstream.agents.transform.step import DROPPED, Apply, TransformProcessor, step_when
from langstream.agents.working_record import WorkingRecord
from langstream.configuration.model import Configuration, Expression, TopicName
from langstream.records import Dispatched, Record


class TriggerEventConfiguration(Configuration):
    """Options of `trigger-event`."""

    destination: TopicName = Field(min_length=1, description="The topic of the events.")
    when: Expression | None = Field(default=None, description="Only records for which this holds cause an event.")
    fields: list[EventField] = Field(
        default=[],
        description="What the event has other than the record. All are computed before any is set.",
    )
    continue_processing: bool = Field(
        default=True, description="Whether a record that caused an event goes on; others always do."
    )


def create(configuration: TriggerEventConfiguration) -> TransformProcessor:
    """The processor."""
    apply = _trigger(configuration.destination, configuration.fields, configuration.continue_processing)
    return TransformProcessor(step_when(configuration.when, apply, "trigger-event", reads_value=False))


def _trigger(destination: str, fields: Sequence[EventField], continue_processing: bool) -> Apply:
    build = event_builder(fields)

    def trigger(working: WorkingRecord) -> Sequence[Record] | None:
        event = WorkingRecord(working.to_record())
        build(working, event)
        working.emit(Dispatched.to(destination, event.to_record()))
        return None if continue_processing else DROPPED

    return trigger


AGENT = AgentType(
    name="trigger-event",
    component_type=ComponentType.PROCESSOR,
    configuration=TriggerEventConfiguration,
    create=create,
    summary="Writes an event to a topic and lets the record go on.",
    description=(
        "The event is a copy of the record with the given fields set. It is written together with the results of "
        "the record: a record that fails later on leaves no event behind."
    ),
    family="flow",
    example="""\
- type: trigger-event
  input: chunks
  output: all-chunks
  configuration:
    destination: last-chunks
    when: "fn:toInt(properties.text_num_chunks) == fn:toInt(properties.chunk_id) + 1"
    fields:
      - { name: value, expression: "fn:mapOf('file', properties.name)" }
""",
    example_input="""\
- { value: "First part.", headers: { name: a.txt, chunk_id: "0", text_num_chunks: "2" } }
- { value: "Second part.", headers: { name: a.txt, chunk_id: "1", text_num_chunks: "2" } }
""",
    example_output="""\
- { value: "First part.", headers: { name: a.txt, chunk_id: "0", text_num_chunks: "2" } }
- topic: last-chunks
  value: { file: a.txt }
  headers: { name: a.txt, chunk_id: "1", text_num_chunks: "2" }
- { value: "Second part.", headers: { name: a.txt, chunk_id: "1", text_num_chunks: "2" } }
""",
)
