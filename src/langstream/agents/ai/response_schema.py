"""JSON Schemas in options: how they are written, and what is wrong with one, told when the application is planned."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BeforeValidator

from langstream.agents.declaration import Finding
from langstream.configuration.validation import Path

LONGEST_VIOLATION: Final = 200


def _parsed_schema(schema: Any) -> Any:
    if not isinstance(schema, str):
        return schema
    try:
        found = json.loads(schema)
    except ValueError as error:
        raise ValueError(f"not valid JSON: {error}") from None
    return found


Schema: TypeAlias = Annotated[dict[str, Any], BeforeValidator(_parsed_schema)]
"""A JSON Schema, as a mapping or as the text of one."""


def schema_findings(schema: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """What is wrong with a schema that stands at that place of the configuration."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema, default=_default()).check_schema(dict(schema))
    except SchemaError as error:
        where = error.json_path.removeprefix("$").removeprefix(".")
        place = f" at '{where}'" if where else ""
        message = f"Property '{path[0]}' is not a valid JSON Schema{place}: {cut(error.message, LONGEST_VIOLATION)}"
        yield Finding(message, (*path, *error.absolute_path))
        return
    except Exception as error:  # an unknown `$schema`, or one that no validator can make sense of
        yield Finding(f"Property '{path[0]}' is not a valid JSON Schema: {error}", path)
        return
    yield from _reference_findings(schema, path)


def _reference_findings(schema: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    address = resource.id() or ""
    resolver = REGISTRY.with_resource(address, resource).crawl().resolver(address)
    for place, reference in _references(schema, ()):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            yield Finding(
                f"Property '{path[0]}' refers to '{reference}', which is not there",
                (*path, *place),
                "Only the schema itself is looked at, as by '#/$defs/NAME'; nothing is fetched.",
            )


def _references(part: Any, place: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield (*place, "$ref"), part["$ref"]
        for name, inner in part.items():
            if name not in ("const", "enum", "default", "examples"):
                yield from _references(inner, (*place, name))
    elif isinstance(part, list):
        for index, inner in enumerate(part):
            yield from _references(inner, (*place, index))


def _default() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator


def validator(schema: Mapping[str, Any]) -> Any:
    """A validator, which fetches nothing."""
    from jsonschema.validators import validator_for
    from jsonschema_specifications import REGISTRY

    return validator_for(schema, default=_default())(schema, registry=REGISTRY)


def cut(text: str, longest: int = LONGEST_VIOLATION) -> str:
    """The beginning of a long text."""
    return text if len(text) <= longest else f"{text[:longest]}…"
