"""The tools of an MCP server."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from langstream.agents.ai.tools.configuration import McpEntry
from langstream.agents.ai.tools.mcp_connection import McpConnection
from langstream.agents.ai.tools.toolbox import Toolbox, ToolFailed, result_text
from langstream.configuration.validation import did_you_mean
from langstream.errors import AgentFailed
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext
from langstream.services.ai.contract import Tool, ToolCall

if TYPE_CHECKING:
    from mcp import Client
    from mcp.shared.exceptions import MCPError
    from mcp.types import CallToolResult

INSTALL: Final = "pip install 'langstream[mcp]'"
MOST_PAGES: Final = 100
LONGEST_NAME: Final = 64
SESSION_OVER: Final = "Session terminated"
"""How the SDK puts it that a server behind an address has forgotten the session, after its restart for instance."""


class _SessionOver(ToolFailed):
    """The server does not know the session any more."""


def mcp_is_installed() -> bool:
    """Whether the SDK is there."""
    return importlib.util.find_spec("mcp") is not None


class McpTools(Toolbox):
    """All tools of one server, or some of them."""

    checks_arguments = True

    def __init__(self, entry: McpEntry) -> None:
        self._entry = entry
        self.timeout_seconds = entry.timeout_seconds
        self._connection: McpConnection | None = None
        self._tools: tuple[Tool, ...] = ()
        self._names: dict[str, str] = {}

    async def start(self, context: AgentContext) -> None:
        """Start the server, and learn what it offers. Raises AgentFailed."""
        if not mcp_is_installed():
            raise AgentFailed(f"tools of MCP servers need a library that is not installed: {INSTALL}")
        self._connection = McpConnection(self._entry, context.agent_id, context.code_directory, self._learn)
        await self._connection.start()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    def tools(self) -> Sequence[Tool]:
        return self._tools

    async def call(
        self, call: ToolCall, arguments: Mapping[str, Any], record: SimpleRecord, timeout_seconds: float
    ) -> str:
        try:
            return await self._call(call.name, arguments, timeout_seconds)
        except _SessionOver:  # the server has not looked at the call
            return await self._call(call.name, arguments, timeout_seconds)

    async def _call(self, name: str, arguments: Mapping[str, Any], timeout_seconds: float) -> str:
        from mcp.shared.exceptions import MCPError

        assert self._connection is not None
        client = await self._connection.client()
        name = self._names.get(name, name)
        try:
            result = await client.call_tool(name, dict(arguments), read_timeout_seconds=timeout_seconds)
        except MCPError as error:
            raise self._refusal(client, error) from None
        except Exception as error:  # whatever the transport or the check of the result raises
            if not isinstance(error, ValueError | RuntimeError):  # these are about the result
                self._connection.lost(client)
            raise ToolFailed(f"the MCP server '{self._entry.name}': {self._connection.shown(error)}") from None
        return _text(result)

    def _refusal(self, client: Client, error: MCPError) -> ToolFailed:
        """What the error means; a connection that is of no use any more is given up."""
        from mcp.types import CONNECTION_CLOSED

        assert self._connection is not None
        if error.message == SESSION_OVER:
            self._connection.lost(client)
            return _SessionOver(f"the MCP server '{self._entry.name}' forgets its sessions")
        if error.code == CONNECTION_CLOSED:
            self._connection.lost(client)
            return ToolFailed(f"the connection to the MCP server '{self._entry.name}' broke during the call")
        return ToolFailed(self._connection.shown(error).removeprefix("MCPError: "))

    async def _learn(self, client: Client) -> None:
        """Ask for the list of tools."""
        found: dict[str, Any] = {}
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            found |= {tool.name: tool for tool in page.tools}
            cursor = page.next_cursor
            if cursor is None:
                break
        wanted = self._entry.tools if self._entry.tools is not None else list(found)
        for name in wanted:
            if name not in found:
                known = did_you_mean(name, sorted(found)) or f"It has {', '.join(sorted(found)) or 'none'}."
                raise AgentFailed(f"the MCP server '{self._entry.name}' has no tool '{name}'. {known}")
        self._names = {_fit(self._entry.prefix + name): name for name in wanted}
        self._tools = tuple(_declared(fit, found[name]) for fit, name in self._names.items())


def _declared(name: str, tool: Any) -> Tool:
    return Tool(name, tool.description or tool.title or tool.name, tool.input_schema)


def _fit(name: str) -> str:
    """The name with such characters only as every service takes."""
    cleaned = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:LONGEST_NAME]
    return cleaned if re.match(r"[A-Za-z_]", cleaned) else f"_{cleaned}"[:LONGEST_NAME]


def _text(result: CallToolResult) -> str:
    """What a result says. Raises ToolFailed where it says that the call failed."""
    parts = [_part(block) for block in result.content]
    if not parts and result.structured_content is not None:
        parts = [result_text(result.structured_content)]
    text = "\n".join(parts)
    if result.is_error:
        raise ToolFailed(text or "the tool failed without a word")
    return text


def _part(block: Any) -> str:
    match block.type:
        case "text":
            return str(block.text)
        case "resource_link":
            return f"{block.name}: {block.uri}"
        case "resource":
            text = getattr(block.resource, "text", None)
            return str(text) if text is not None else f"({block.resource.uri}: not text)"
        case kind:
            return f"({kind} of type {getattr(block, 'mime_type', 'unknown')}: not text)"
