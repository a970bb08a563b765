"""`merge-key-value`: copies the fields of the key into the value."""

from __future__ import annotations

from typing import Any

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.transform.avro import AvroShapes
from langstream.agents.transform.step import Apply, Conditional, TransformProcessor, step_when
from langstream.agents.working_record import WorkingRecord
from langstream.records import AvroValue


class MergeKeyValueConfiguration(Conditional):
    """Options of `merge-key-value`."""


def create(configuration: MergeKeyValueConfiguration) -> TransformProcessor:
    """The processor."""
    return TransformProcessor(step_when(configuration.when, _merge(), "merge-key-value"))


def _merge() -> Apply:
    shapes = AvroShapes()

    def merge(working: WorkingRecord) -> None:
        key, value = working.key, working.value
        if type(key) is dict and type(value) is dict:
            _merge_objects(working, key, value)
        elif type(key) is AvroValue and type(value) is AvroValue:
            working.replace_value(shapes.merged(key, value), "AVRO")

    return merge


def _merge_objects(working: WorkingRecord, key: dict[str, Any], value: dict[str, Any]) -> None:
    """A null in the value counts as absent: the key's field takes its place."""
    added = {name: content for name, content in key.items() if value.get(name) is None}
    if added:
        working.own_value().update(added)


AGENT = AgentType(
    name="merge-key-value",
    component_type=ComponentType.PROCESSOR,
    configuration=MergeKeyValueConfiguration,
    create=create,
    summary="Copies the fields of a structured key into a structured value; fields of the value win.",
    description="The key stays. Records whose key or value is not structured are left as they are.",
    composable=Composable.OPTIONAL,
    family="transform",
    example="""\
- type: merge-key-value
  input: orders
  output: merged-orders
""",
    example_input="""\
- { key: { id: 7, shop: Basel }, value: { shop: Bern, total: 12.5 } }
""",
    example_output="""\
- { key: { id: 7, shop: Basel }, value: { id: 7, shop: Bern, total: 12.5 } }
""",
)
