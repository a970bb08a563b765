"""`python-sink`: takes records out of the application."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langstream.agents.custom.calls import PLAIN, RecordCalls
from langstream.agents.custom.configuration import PythonCallsConfiguration, check
from langstream.agents.custom.instance import UserAgent
from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, Sink


class CustomSink(Sink):
    """Runs the `write` method of a user's class."""

    batching = PLAIN

    def __init__(self, configuration: PythonCallsConfiguration) -> None:
        self._configuration = configuration
        self._agent: UserAgent | None = None
        self._calls: RecordCalls | None = None

    async def start(self, context: AgentContext) -> None:
        """Import and start the user's agent."""
        self._agent = UserAgent(self._configuration, context)
        await self._agent.open("write")
        self._calls = RecordCalls(self._agent, "write", lambda result, record: None, self._configuration.calls)
        self.batching = self._calls.batching

    async def write_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Exception | None]:
        """None for every record that `write` took, else what it raised."""
        assert self._calls is not None
        outcomes = await self._calls.run(records)
        self.batching = self._calls.batching
        return outcomes

    async def close(self) -> None:
        """Close the user's agent."""
        if self._agent is not None:
            await self._agent.close()

    def info(self) -> dict[str, Any]:
        """What `agent_info` says, and the class."""
        return {"className": self._configuration.class_name, **(self._agent.info() if self._agent else {})}


AGENT = AgentType(
    name="python-sink",
    component_type=ComponentType.SINK,
    configuration=PythonCallsConfiguration,
    create=CustomSink,
    summary="Runs a Python class of the application that stores records somewhere.",
    description="""\
The class needs a method `write(record)`. The record is committed when the method returns, when its coroutine ends or
when the `concurrent.futures.Future` it returned is done. Raising an exception is a failure of that record.
Further options are the class's own: `init(config)` gets them.""",
    composable=Composable.OPTIONAL,
    check=check,
    family="custom",
    example="""\
- type: python-sink
  input: orders
  configuration:
    className: warehouse.Store
    path: orders.txt
""",
    example_files={
        "python/warehouse.py": """\
class Store:
    def init(self, config):
        self.path = config["path"]

    def write(self, record):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{record.key()}: {record.value()}\\n")
"""
    },
)
