"""The JSON Schema of an option model, for editors: names as in YAML, kinds as `x-kind`, placeholders allowed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of the options. Numbers and booleans may be placeholders, so texts with `${` are allowed for them."""
    schema = model.model_json_schema(by_alias=True)
    return {"$schema": _DIALECT, **_with_placeholders(schema)}


def _with_placeholders(schema: dict[str, Any]) -> dict[str, Any]:
    result = dict(schema)
    for holder in ("properties", "$defs"):
        if holder in result:
            result[holder] = {name: _with_placeholders(inner) for name, inner in result[holder].items()}
    for holder in ("items", "additionalProperties"):
        if isinstance(result.get(holder), dict):
            result[holder] = _with_placeholders(result[holder])
    if result.get("type") in ("integer", "number", "boolean", "array") or "enum" in result:
        kept: dict[str, Any] = {key: result.pop(key) for key in ("title", "description", "default") if key in result}
        return {**kept, "anyOf": [result, {"type": "string", "pattern": r"\$\{"}]}
    if "anyOf" in result:
        result["anyOf"] = [_with_placeholders(inner) for inner in result["anyOf"]]
    return result
