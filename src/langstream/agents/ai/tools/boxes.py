"""The tools of an agent, made from its options."""

from __future__ import annotations

from langstream.agents.ai.tools.calling import Caller, Limits
from langstream.agents.ai.tools.configuration import AnyToolEntry, McpEntry, PythonToolEntry, ToolOptions
from langstream.agents.ai.tools.mcp_tools import McpTools
from langstream.agents.ai.tools.pipeline_tools import PipelineTool
from langstream.agents.ai.tools.python_tools import PythonTool
from langstream.agents.ai.tools.toolbox import Toolbox


def caller_of(options: ToolOptions) -> Caller | None:
    """What calls the tools; None where there are none."""
    if not options.tools:
        return None
    limits = Limits(options.tool_timeout_seconds, options.max_tool_result_characters)
    return Caller([_box(entry) for entry in options.tools], limits)


def _box(entry: AnyToolEntry) -> Toolbox:
    if isinstance(entry, PythonToolEntry):
        return PythonTool(entry)
    return McpTools(entry) if isinstance(entry, McpEntry) else PipelineTool(entry)
