"""The options by which an agent offers tools to its model."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from langstream.agents.ai.options import FieldName
from langstream.agents.ai.response_schema import Schema
from langstream.configuration.model import Configuration, Secret, Text, TopicName
from langstream.services.ai.schemas import ANSWER_TOOL

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""Names of tools that every service takes."""

_DOTTED: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def _tool_name(name: str) -> str:
    if not NAME.fullmatch(name) or name == ANSWER_TOOL:
        raise ValueError(
            f"must be a name of at most 64 letters, digits, '_' and '-' that begins with a letter, not {name!r}"
            if name != ANSWER_TOOL
            else f"'{ANSWER_TOOL}' has a meaning of its own: choose another name"
        )
    return name


def _dotted(name: str) -> str:
    if not _DOTTED.fullmatch(name):
        raise ValueError(f"{name!r} names no member of a module: expected MODULE.NAME, such as weather.forecast")
    return name


ToolName = Annotated[str, BeforeValidator(str), BeforeValidator(_tool_name)]
MemberName = Annotated[str, BeforeValidator(_dotted)]


class ToolEntry(Configuration):
    """What all tools have."""

    timeout_seconds: float | None = Field(
        None, gt=0, description="Limit for one call. Without it that of the agent, `tool-timeout-seconds`."
    )


class PythonToolEntry(ToolEntry):
    """A function of the application."""

    type: Literal["python"] = Field(description="A function of the application.")
    function: MemberName | None = Field(
        None, description="Module and function, such as `weather.forecast`, below the folder `python`."
    )
    class_name: MemberName | None = Field(
        None,
        alias="className",
        description="Module and class, in place of `function`: its method `call` is called. It may have `init`, which "
        "gets `configuration`, `start` and `close`.",
    )
    name: ToolName | None = Field(None, description="The name for the model; that of the function if absent.")
    description: Text | None = Field(None, description="What it is for; the function's docstring if absent.")
    parameters: Schema | None = Field(
        None, description="The JSON Schema of the arguments; made from the function's annotations if absent."
    )
    configuration: dict[str, Any] = Field({}, description="What `init` of the class gets.", repr=False)

    @model_validator(mode="after")
    def _one_of_both(self) -> PythonToolEntry:
        if (self.function is None) == (self.class_name is None):
            raise ValueError("a tool of type 'python' needs either 'function' or 'className'")
        return self


class McpEntry(ToolEntry):
    """The tools of an MCP server."""

    type: Literal["mcp"] = Field(description="The tools of an MCP server.")
    name: Text = Field(min_length=1, description="What the server is called here, in messages and metrics.")
    command: Text | None = Field(
        None,
        description="The program to start, in the application's directory; it is spoken to over its standard streams.",
    )
    args: list[Text] = Field([], description="Its arguments. Everybody on the machine can read them: no secrets here.")
    env: dict[str, Secret] = Field({}, description="Environment variables of the program.", repr=False)
    url: Text | None = Field(None, description="The address of a server that is there, by streamable HTTP.")
    headers: dict[str, Secret] = Field({}, description="Headers for requests to `url`.", repr=False)
    tools: list[Text] | None = Field(None, description="Names of the server's tools to offer; all if absent.")
    prefix: Text = Field("", description="Begins the names of its tools for the model, to keep servers apart.")
    start_timeout_seconds: float = Field(60.0, gt=0, description="Limit for starting, or connecting to, the server.")

    @model_validator(mode="after")
    def _one_of_both(self) -> McpEntry:
        if (self.command is None) == (self.url is None):
            raise ValueError("a tool of type 'mcp' needs either 'command' or 'url'")
        misplaced = ("headers",) if self.command is not None else ("args", "env")
        if given := [name for name in misplaced if getattr(self, name)]:
            wanted = "url" if self.command is not None else "command"
            raise ValueError(f"'{given[0]}' belongs to '{wanted}', which is not there")
        if self.url is not None and (
            urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).netloc
        ):
            raise ValueError("'url' must be an address that begins with http:// or https://")
        return self


class PipelineEntry(ToolEntry):
    """A pipeline of the application: the arguments go to one topic, the answer comes from another."""

    type: Literal["pipeline"] = Field(description="A pipeline of the application.")
    name: ToolName = Field(description="The name for the model.")
    description: Text = Field(description="What it is for.")
    parameters: Schema = Field(description="The JSON Schema of the arguments.")
    input_topic: TopicName = Field(description="Where the arguments go, as the value of a record.")
    output_topic: TopicName = Field(description="Where the answer comes from.")


_TYPES: Final = ("python", "mcp", "pipeline")


def _of_known_type(entry: Any) -> Any:
    if isinstance(entry, dict) and entry.get("type") not in _TYPES:
        given = f", not '{entry['type']}'" if entry.get("type") is not None else ""
        raise ValueError(f"'type' must be one of {', '.join(_TYPES)}{given}")
    return entry


AnyToolEntry: TypeAlias = Annotated[
    Annotated[PythonToolEntry | McpEntry | PipelineEntry, Field(discriminator="type")], BeforeValidator(_of_known_type)
]


class ToolOptions(Configuration):
    """The options of an agent that offers tools to its model."""

    tools: list[AnyToolEntry] = Field([], description="What the model may call before it answers.")
    tool_choice: Text | None = Field(
        None,
        description="`auto`, `none`, `required`, or the name of a tool that must be called; the last two hold for the "
        "first turn of the model only.",
    )
    max_tool_rounds: int = Field(
        10, ge=1, description="How often the model may call tools for one answer; calls made at once count once."
    )
    tool_timeout_seconds: float = Field(60.0, gt=0, description="Limit for one call of a tool.")
    max_tool_result_characters: int = Field(
        50_000, ge=1, description="Longer results are cut off before the model sees them."
    )
    tool_log_field: FieldName | None = Field(
        None, description="Where the calls go: a list of `{round, name, arguments, result, failed, milliseconds}`."
    )
