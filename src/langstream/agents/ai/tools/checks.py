"""What is wrong with the tools of an agent, told when the application is planned."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from langstream.agents.ai.response_schema import schema_findings
from langstream.agents.ai.tools.configuration import AnyToolEntry, McpEntry, PipelineEntry, PythonToolEntry, ToolOptions
from langstream.agents.ai.tools.mcp_tools import INSTALL, mcp_is_installed
from langstream.agents.custom.inspection import class_problem
from langstream.agents.declaration import Finding, PlanContext
from langstream.configuration.validation import Path
from langstream.services.ai.selection import AI_PROVIDERS, preferred

SHORTEST_SECRET: Final = 6


def tool_findings(
    options: ToolOptions, ai_service: str | None, fallback: Sequence[str | None], context: PlanContext
) -> Iterator[Finding]:
    """All of it: tools that cannot be there, names given twice, services that cannot call tools."""
    if not options.tools:
        return
    yield from _service_findings(ai_service, ("tools",), context)
    for index, name in enumerate(fallback):
        if name is not None:
            yield from _service_findings(name, ("fallback", index, "ai-service"), context)
    for index, entry in enumerate(options.tools):
        yield from _entry_findings(entry, ("tools", index), context)
    yield from _double_findings(options.tools)
    choice = options.tool_choice
    if choice not in (None, "auto", "required", "none") and not _may_be_there(choice or "", options.tools):
        yield Finding(
            f"Property 'tool-choice' names no tool of the agent: '{choice}'",
            ("tool-choice",),
            "Expected: auto, required, none, or the name of a tool.",
        )


def _service_findings(ai_service: str | None, path: Path, context: PlanContext) -> Iterator[Finding]:
    found = context.resources.get(ai_service) if ai_service else preferred(context.resources, "completions")
    if found is None or found.type not in AI_PROVIDERS:
        return  # told elsewhere
    if not AI_PROVIDERS.load(found.type).tools:
        able = [name for name in AI_PROVIDERS.names() if AI_PROVIDERS.load(name).tools]
        yield Finding(
            f"AI resource '{found.id}' (type: '{found.type}') cannot call tools",
            path,
            f"Types that can: {', '.join(able)}.",
        )


def _entry_findings(entry: AnyToolEntry, path: Path, context: PlanContext) -> Iterator[Finding]:
    if isinstance(entry, PythonToolEntry):
        yield from _python_findings(entry, path, context)
    if isinstance(entry, PythonToolEntry | PipelineEntry) and entry.parameters is not None:
        yield from _parameter_findings(entry.parameters, (*path, "parameters"))
    if isinstance(entry, PipelineEntry) and entry.input_topic == entry.output_topic:
        yield Finding(
            f"The tool '{entry.name}' would take its own arguments for the answer: "
            "'input-topic' and 'output-topic' are the same",
            (*path, "output-topic"),
        )
    if isinstance(entry, McpEntry):
        for index, argument in enumerate(entry.args):
            if any(secret in argument for secret in _texts(context.secrets)):
                yield Finding(
                    f"Property 'args' of the MCP server '{entry.name}' holds a secret, which everybody on the machine "
                    "could read",
                    (*path, "args", index),
                    "Hand it to the program in 'env'.",
                )
        if not mcp_is_installed():
            yield Finding("Tools of MCP servers need a library that is not installed", path, f"Install it: {INSTALL}")
        if entry.command is not None and shutil.which(entry.command) is None:
            yield Finding(
                f"The program '{entry.command}' of the MCP server '{entry.name}' is not found on this machine",
                (*path, "command"),
                "Give its whole path, or install it where the application runs.",
            )


def _texts(value: Any) -> Iterator[str]:
    """The texts in the application's secrets that are long enough to be some."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, str) and len(value) >= SHORTEST_SECRET:
        yield value


def _python_findings(entry: PythonToolEntry, path: Path, context: PlanContext) -> Iterator[Finding]:
    name, option = (entry.function, "function") if entry.function is not None else (entry.class_name, "className")
    if context.directory is None or name is None:
        return
    problem = class_problem(name, context.directory, noun="function" if option == "function" else "class")
    if problem is not None:
        yield Finding(f"Property '{option}': {problem.message}", (*path, option), problem.hint)


def _parameter_findings(schema: dict[str, object], path: Path) -> Iterator[Finding]:
    if schema.get("type") != "object":
        yield Finding("Property 'parameters' must be the schema of an object: 'type: object'", path)
        return
    for finding in schema_findings(schema, ("parameters",)):
        yield Finding(finding.message, (*path, *finding.path[1:]), finding.hint)


def _double_findings(entries: Sequence[AnyToolEntry]) -> Iterator[Finding]:
    """Names known before anything is imported or asked."""
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        name = _name(entry)
        if name is not None and name in seen:
            yield Finding(f"Two tools are named '{name}'", ("tools", index), "Give one of them another `name`.")
        elif name is not None:
            seen.add(name)


def _name(entry: AnyToolEntry) -> str | None:
    if isinstance(entry, PythonToolEntry):
        return entry.name or (entry.function.rpartition(".")[2] if entry.function is not None else None)
    return entry.name if isinstance(entry, PipelineEntry) else None


def _may_be_there(name: str, entries: Sequence[AnyToolEntry]) -> bool:
    """Whether one of the tools has the name; of MCP servers and classes nobody knows before they are started."""
    names = [_name(entry) for entry in entries]
    return name in names or None in names
