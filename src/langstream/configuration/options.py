"""The options of a model as rows of a table: for the reference, completion and hover texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Option:
    """One option; `name` is dotted for nested ones, `[]` marks the items of a list, `[mcp]` those of the type `mcp`
    where items of several types have options of their own, `.NAME` the values of a map. Texts are for people."""

    name: str
    type: str
    required: bool
    default: str
    description: str


def options(model: type[BaseModel]) -> list[Option]:
    """Every option of the model, nested ones after the option that holds them."""
    schema = model.model_json_schema(by_alias=True)
    return list(_options(schema, schema.get("$defs", {}), ""))


def _options(schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str) -> Iterator[Option]:
    required = schema.get("required", ())
    for name, declared in schema.get("properties", {}).items():
        yield Option(
            prefix + name,
            _type_of(declared, definitions),
            name in required,
            _default(declared),
            declared.get("description") or _resolved(declared, definitions).get("description", ""),
        )
        for suffix, nested in _nested(declared, definitions):
            yield from _options(nested, definitions, f"{prefix}{name}{suffix}.")


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return definitions[reference.rpartition("/")[2]] if reference else schema


def _nested(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The object inside an option, with `[]` where it is the item of a list, `.NAME` where it is the value of a map;
    several where their type decides."""
    for branch in schema.get("anyOf", (schema,)):
        found = _resolved(branch, definitions)
        if "properties" in found:
            return [("", found)]
        if found.get("type") == "array":
            item = _resolved(found.get("items", {}), definitions)
            if "properties" in item:
                return [("[]", item)]
            if "discriminator" in item:
                return [(f"[{tag}]", kind) for tag, kind in _alternatives(item, definitions)]
        values = found.get("additionalProperties")
        if isinstance(values, Mapping) and "properties" in (value := _resolved(values, definitions)):
            return [(".NAME", value)]
    return []


def _alternatives(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects among which a member of them decides, by its value; in the order of their declaration."""
    member = schema["discriminator"]["propertyName"]
    for branch in schema["oneOf"]:
        kind = _resolved(branch, definitions)
        yield kind["properties"][member]["const"], kind


def _type_of(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    kind = schema.get("x-kind")
    if kind in ("expression", "template", "topic", "resource"):
        return str(kind)
    branches = [_resolved(branch, definitions) for branch in schema.get("anyOf", (schema,))]
    names = [_plain_type(branch, definitions) for branch in branches if branch.get("type") != "null"]
    return " or ".join(dict.fromkeys(names)) or "any"


def _plain_type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "x-kind" in schema:
        return str(schema["x-kind"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        item = _type_of(schema.get("items", {}), definitions)
        return f"list of {item}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"map to {_type_of(schema['additionalProperties'], definitions)}"
    if "discriminator" in schema:
        return "object"
    names = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean", "object": "object"}
    return names.get(schema.get("type", ""), "any")


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if isinstance(default, Mapping) and default:  # members that are not set say nothing
        default = {name: value for name, value in default.items() if value is not None} or None
    return "" if default is None else f"`{orjson.dumps(default).decode()}`"
