"""`flatten`: turns nested structures into one level, the path joined into each name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.transform.avro import AvroShapes
from langstream.agents.transform.step import Apply, Conditional, TransformProcessor, step_when
from langstream.agents.working_record import WorkingRecord, described
from langstream.configuration.model import Text
from langstream.errors import RecordError
from langstream.records import AvroValue


class FlattenConfiguration(Conditional):
    """Options of `flatten`."""

    delimiter: Text = Field(default="_", description="What stands between the names of a path.")
    part: Literal["key", "value"] | None = Field(
        default=None,
        description="`key` or `value`, which must then be structured; without it, whichever of both is structured.",
    )


def create(configuration: FlattenConfiguration) -> TransformProcessor:
    """The processor."""
    apply = _flatten(configuration.delimiter, configuration.part)
    return TransformProcessor(step_when(configuration.when, apply, "flatten"))


def _flatten(delimiter: str, part: str | None) -> Apply:
    shapes = AvroShapes()

    def flat(content: Any) -> Any:
        """The flat form; None for what is not structured."""
        if type(content) is dict:
            return flattened(content, delimiter)
        return shapes.flattened(content, delimiter) if type(content) is AvroValue else None

    def flatten(working: WorkingRecord) -> None:
        key = flat(working.key) if part != "value" else None
        value = flat(working.value) if part != "key" else None
        if key is None and value is None:
            content = working.key if part == "key" else working.value
            raise RecordError(f"the {part or 'value'} is not structured: it is {described(content)}")
        if value is not None and value is not working.value:
            working.replace_value(value, working.value_type)
        if key is not None and key is not working.key:
            working.replace_key(key, working.key_type)

    return flatten


def flattened(content: dict[str, Any], delimiter: str) -> dict[str, Any]:
    """The object on one level; the very object if it has no nested ones.

    Lists stay as they are, and so do empty objects, which have no fields to put in their place. Raises RecordError
    where two fields would get one name.
    """
    if not any(type(item) is dict and item for item in content.values()):
        return content
    flat: dict[str, Any] = {}
    for name, item in _leaves(content, delimiter):
        if name in flat:
            raise RecordError(f"two fields would have the name {name!r}")
        flat[name] = item
    return flat


def _leaves(content: dict[str, Any], delimiter: str) -> Iterator[tuple[str, Any]]:
    """Depth first, in order; with a stack of its own, because nesting is not limited."""
    stack = [("", iter(content.items()))]
    while stack:
        prefix, items = stack[-1]
        for name, item in items:
            path = prefix + name
            if type(item) is dict and item:
                stack.append((path + delimiter, iter(item.items())))
                break
            yield path, item
        else:
            stack.pop()


AGENT = AgentType(
    name="flatten",
    component_type=ComponentType.PROCESSOR,
    configuration=FlattenConfiguration,
    create=create,
    summary="Turns nested JSON objects and Avro records into one level.",
    description=(
        "A field's name is its path, joined by the delimiter. Lists are not entered. A flattened Avro field is "
        "nullable if anything on its path is."
    ),
    composable=Composable.OPTIONAL,
    family="transform",
    example="""\
- type: flatten
  input: orders
  output: flat-orders
  configuration:
    delimiter: "_"
    part: value
""",
    example_input="""\
- value: { id: 7, address: { city: Basel, geo: { lat: 47.6, lon: 7.6 } }, items: [{ sku: a }] }
""",
    example_output="""\
- value: { id: 7, address_city: Basel, address_geo_lat: 47.6, address_geo_lon: 7.6, items: [{ sku: a }] }
""",
)
