"""An MCP server as a process of its own, over its standard streams or HTTP."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("weather", log_level="ERROR")


@server.tool()
def forecast(city: str, days: int = 1) -> str:
    """Forecast the weather."""
    return f"sunny in {city} for {days}"


@server.tool()
def secret() -> str:
    """Tell what the environment holds."""
    print("the secret is", os.environ.get("WEATHER_KEY"), file=sys.stderr, flush=True)
    return os.environ.get("WEATHER_KEY", "nothing")


@server.tool()
def fail(reason: str) -> str:
    """Fail."""
    raise ToolError(reason)


@server.tool()
async def sleep(seconds: float) -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    return "awake"


@server.tool()
def pid() -> int:
    """The number of the process."""
    return os.getpid()


@server.tool()
def die() -> str:
    """End at once."""
    os._exit(3)


@server.tool(name="odd.name")
def odd() -> dict[str, int]:
    """Has a name that models do not take."""
    return {"one": 1}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
