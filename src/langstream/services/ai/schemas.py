"""Asking for answers of a certain structure: natively where a service can, else in words.

Services differ in what of JSON Schema they enforce. Whatever they do, the agent checks the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from langstream.services.ai.contract import CompletionOptions, Message, Tool

ANSWER_TOOL: Final = "final_answer"
"""The tool by whose arguments a model answers, where a service enforces schemas of tools only."""

_STRICT: Final = frozenset(
    (
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "definitions",
        "description",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "multipleOf",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
    )
)
"""Keywords that OpenAI's strict mode knows."""


def instruction(schema: Mapping[str, Any]) -> str:
    """What a model is told that must be asked in words."""
    text = orjson.dumps(schema).decode()
    return (
        "Answer with one JSON value that is valid under this JSON Schema, and nothing else: no explanation, no code "
        f"fence.\n{text}"
    )


def instructed(messages: Sequence[Message], options: CompletionOptions) -> Sequence[Message]:
    """The messages with the instruction: at the end of the first system message, or in one of its own."""
    if options.response_schema is None:
        return messages
    words = instruction(options.response_schema)
    told = list(messages)
    for index, message in enumerate(told):
        if message.role in ("system", "developer"):
            told[index] = replace(message, content=f"{message.content}\n\n{words}")
            return told
    return [Message(words, "system"), *told]


def instructed_prompts(prompts: Sequence[str], options: CompletionOptions) -> Sequence[str]:
    """The texts to be continued, the last one with the instruction."""
    if options.response_schema is None or not prompts:
        return prompts
    return [*prompts[:-1], f"{prompts[-1]}\n\n{instruction(options.response_schema)}\n"]


def answer_tool(schema: Mapping[str, Any]) -> Tool | None:
    """The tool whose arguments are the answer; None where the answer is no object, as arguments must be."""
    if schema.get("type") != "object":
        return None
    words = "Gives the final answer. Call it once, when everything else is done."
    return Tool(ANSWER_TOOL, words, undeclared(schema))


def by_answer_tool(
    messages: Sequence[Message], options: CompletionOptions, *, forcible: bool
) -> tuple[Sequence[Message], CompletionOptions, bool]:
    """Messages and options for a service that enforces schemas of tools only, and whether the model is to answer by
    the answer tool. It is told the schema in words where tools cannot be forced, or the answer is no object."""
    if options.response_schema is None:
        return messages, options, False
    tool = answer_tool(options.response_schema) if forcible else None
    if tool is None:
        return instructed(messages, options), options, False
    choice = "required" if options.tools else tool.name
    return messages, replace(options, tools=(*options.tools, tool), tool_choice=choice), True


def undeclared(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without the version of JSON Schema that it declares, which some services refuse."""
    return {name: value for name, value in schema.items() if name != "$schema"}


def schema_name(schema: Mapping[str, Any]) -> str:
    """A name for the schema, of characters that every service takes."""
    title = schema.get("title")
    return re.sub(r"[^A-Za-z0-9_-]+", "_", title).strip("_")[:64] or "answer" if isinstance(title, str) else "answer"


def is_strict(schema: Any, *, root: bool = True) -> bool:
    """Whether OpenAI's strict mode takes the schema: objects are closed, all of their members required."""
    if not isinstance(schema, Mapping) or not set(schema) - {"$schema"} <= _STRICT:
        return False
    if root and schema.get("type") != "object":
        return False
    properties = schema.get("properties") or {}
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            return False
        if set(schema.get("required") or ()) != set(properties):
            return False
    nested = [*properties.values(), *(schema.get("$defs") or {}).values(), *(schema.get("definitions") or {}).values()]
    nested += [schema["items"]] if "items" in schema else []
    return all(is_strict(part, root=False) for part in (*nested, *(schema.get("anyOf") or ())))
