"""`document-to-json`: puts the text of the value into a JSON object, together with the headers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.transform.avro import avro_json
from langstream.agents.transform.step import Apply, Step, TransformProcessor
from langstream.agents.working_record import STRING, WorkingRecord
from langstream.configuration.model import Configuration, Text
from langstream.records import AvroValue, header_text


class DocumentToJsonConfiguration(Configuration):
    """Options of `document-to-json`."""

    text_field: Text = Field(default="text", description="The member that gets the text of the value.")
    copy_properties: bool = Field(default=True, description="Whether the headers become members too.")
    pass_deletions: bool = Field(
        default=False,
        description="Records without value pass unchanged, so that a sink deletes by them; else their text is null.",
    )


def create(configuration: DocumentToJsonConfiguration) -> TransformProcessor:
    """The processor."""
    apply = _document_to_json(configuration)
    return TransformProcessor(Step(apply, "document-to-json", reads_value=False))


def _document_to_json(configuration: DocumentToJsonConfiguration) -> Apply:
    text_field, copy_properties = configuration.text_field, configuration.copy_properties

    def wrap(working: WorkingRecord) -> None:
        record = working.to_record()
        value = record.value()
        if value is None and configuration.pass_deletions:
            return
        text = avro_json(value) if isinstance(value, AvroValue) else header_text(value)
        content: dict[str, Any] = {text_field: text}
        if copy_properties:
            for name, item in record.header_items():
                if name != text_field:
                    content[name] = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
        working.replace_value(content, STRING)

    return wrap


AGENT = AgentType(
    name="document-to-json",
    component_type=ComponentType.PROCESSOR,
    configuration=DocumentToJsonConfiguration,
    create=create,
    summary="Turns text into a JSON object that holds the text and the headers.",
    description="The headers stay on the record too. A header named like the text field does not replace the text.",
    family="text",
    example="""\
- type: document-to-json
  input: texts
  output: questions
  configuration:
    text-field: question
    copy-properties: true
""",
    example_input="""\
- { value: "What is a topic?", headers: { language: en } }
""",
    example_output="""\
- { value: { question: "What is a topic?", language: en }, headers: { language: en } }
""",
)
