"""Tools: what a model may call while it answers. Functions of the application, MCP servers, other pipelines."""
