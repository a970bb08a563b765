"""Options say what their text means, however deep they are, and schemas repeat it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from langstream.configuration.model import (
    Configuration,
    Expression,
    Kind,
    Secret,
    TopicName,
    field_kinds,
    marked_options,
)
from langstream.configuration.schema import json_schema


class Route(Configuration):
    """Nested."""

    when: Expression = "true"
    destination: TopicName | None = None
    then: list[Route] = Field(default_factory=list)


class Options(Configuration):
    """Kinds at every depth."""

    datasource: Annotated[str, Kind("resource", of=("datasource",))]
    routes: list[Route] = Field(default_factory=list)
    topics: list[TopicName] = Field(default_factory=list)
    by_name: dict[str, Route] = Field(default_factory=dict)
    access_key: Secret | None = None
    size: Annotated[int, Field(ge=1)] = 3
    plain: str = "x"


def test_kinds_of_fields_have_dotted_names() -> None:
    found = {name: kind.name for _, name, kind in field_kinds(Options)}
    assert found == {
        "datasource": "resource",
        "routes.when": "expression",
        "routes.destination": "topic",
        "topics": "topic",
        "by-name.when": "expression",
        "by-name.destination": "topic",
        "access-key": "secret",
    }


def test_marked_options_are_found_with_their_paths() -> None:
    options = Options.model_validate(
        {
            "datasource": "db",
            "routes": [{"destination": "a"}, {"then": {"destination": "b"}}],
            "topics": ["c", "d"],
            "by-name": {"x": {"destination": "e"}},
            "access-key": "k",
        }
    )
    found = {path: text for path, kind, text in marked_options(options) if kind.name != "expression"}
    assert found == {
        ("datasource",): "db",
        ("routes", 0, "destination"): "a",
        ("routes", 1, "then", 0, "destination"): "b",
        ("topics", 0): "c",
        ("topics", 1): "d",
        ("by-name", "x", "destination"): "e",
        ("access-key",): "k",
    }


def _property(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json_schema(Options)["properties"][name]
    return found


def test_the_schema_names_options_as_in_yaml_with_their_kinds() -> None:
    schema = json_schema(Options)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["datasource"]
    assert "by-name" in schema["properties"]
    assert _property("datasource")["x-kind"] == "resource"
    assert _property("datasource")["x-resource-types"] == ["datasource"]


def test_the_schema_allows_placeholders_for_what_is_no_text() -> None:
    size = _property("size")
    assert size["default"] == 3
    assert {"type": "integer", "minimum": 1} in size["anyOf"]
    assert {"type": "string", "pattern": r"\$\{"} in size["anyOf"]
    assert _property("plain")["type"] == "string"
