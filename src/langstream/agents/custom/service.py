"""`python-service`: a program of its own beside the pipelines, reached through a service gateway."""

from __future__ import annotations

import os
from typing import Any

from pydantic import Field

from langstream.agents.custom.configuration import PythonAgentConfiguration, check
from langstream.agents.custom.instance import UserAgent
from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.sdk.contract import AgentContext, Service

DEFAULT_PORT = 8000
PORT_VARIABLE = "LANGSTREAM_SERVICE_PORT"


class PythonServiceConfiguration(PythonAgentConfiguration):
    """Options of `python-service`."""

    service_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description=(
            f"Port at which `main` serves HTTP on 127.0.0.1, for service gateways. Without it the environment variable "
            f"{PORT_VARIABLE} counts, or {DEFAULT_PORT}."
        ),
    )


class CustomService(Service):
    """Runs the `main` method of a user's class."""

    def __init__(self, configuration: PythonServiceConfiguration) -> None:
        self._configuration = configuration
        self._agent: UserAgent | None = None

    async def start(self, context: AgentContext) -> None:
        """Import and start the user's agent; `main` runs later."""
        self._agent = UserAgent(self._configuration, context)
        await self._agent.open("main", main_in_background=False)

    async def main(self) -> None:
        """Run the user's `main` until it ends."""
        assert self._agent is not None
        await self._agent.run_main()

    async def close(self) -> None:
        """Close the user's agent."""
        if self._agent is not None:
            await self._agent.close()

    def address(self) -> str | None:
        """Where `main` is expected to serve HTTP."""
        port = self._configuration.service_port or os.environ.get(PORT_VARIABLE) or DEFAULT_PORT
        return f"http://127.0.0.1:{port}"

    def info(self) -> dict[str, Any]:
        """What `agent_info` says, the class and the address."""
        facts = {"className": self._configuration.class_name, "address": self.address()}
        return {**facts, **(self._agent.info() if self._agent else {})}


AGENT = AgentType(
    name="python-service",
    component_type=ComponentType.SERVICE,
    configuration=PythonServiceConfiguration,
    create=CustomService,
    summary="Runs a Python program of the application beside its pipelines.",
    description=f"""\
The class needs a method `main()`, plain or `async def`, that runs until the application stops. A gateway of type
`service` passes HTTP requests on to 127.0.0.1, port {DEFAULT_PORT} unless `service-port` says otherwise. Further
options are the class's own: `init(config)` gets them.""",
    composable=Composable.NEVER,
    check=check,
    family="custom",
    example="""\
- type: python-service
  id: dashboard
  configuration:
    className: dashboard.Server
    service-port: 8001
""",
    example_files={
        "python/dashboard.py": """\
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"All is well.")


class Server:
    def main(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 8001), Page)
        self.server.serve_forever()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
"""
    },
)
