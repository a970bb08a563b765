"""An MCP server, run as a program of its own: it counts days."""

from datetime import date

from mcp.server.mcpserver import MCPServer

server = MCPServer("calendar", log_level="WARNING")


@server.tool()
def days_between(first: date, second: date) -> int:
    """Count the days between two dates."""
    return (second - first).days


if __name__ == "__main__":
    server.run("stdio")
