"""`python-processor` and its alias `python-function`: one record in, any number of records out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langstream.agents.custom.calls import PLAIN, RecordCalls
from langstream.agents.custom.configuration import PythonCallsConfiguration, check
from langstream.agents.custom.instance import UserAgent
from langstream.agents.custom.results import records_of
from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.records import Record, SimpleRecord
from langstream.sdk.contract import AgentContext, AsyncProcessor, Outcome


class CustomProcessor(AsyncProcessor):
    """Runs the `process` method of a user's class."""

    batching = PLAIN

    def __init__(self, configuration: PythonCallsConfiguration) -> None:
        self._configuration = configuration
        self._agent: UserAgent | None = None
        self._calls: RecordCalls | None = None

    async def start(self, context: AgentContext) -> None:
        """Import and start the user's agent."""
        self._agent = UserAgent(self._configuration, context)
        await self._agent.open("process")
        self._calls = RecordCalls(self._agent, "process", _results, self._configuration.calls)
        self.batching = self._calls.batching

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """The records that `process` returned, or what it raised."""
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


def _results(result: Any, record: SimpleRecord) -> Sequence[Record]:
    if type(result) is list and len(result) == 1 and result[0] is record:
        return result  # passed on as it came
    return records_of(result, "process()")


_SUMMARY = "Runs a Python class of the application that turns one record into any number of records."
_DESCRIPTION = """\
The class needs a method `process(record)` that returns a list of records: objects, dicts or tuples. The method may be
plain (records are processed one at a time), `async def`, or return a `concurrent.futures.Future` (many records are
processed at the same time, those with equal keys one after the other). Further options are the class's own:
`init(config)` gets them."""
_EXAMPLE = """\
- type: python-processor
  input: names
  output: greetings
  configuration:
    className: greetings.Greeting
    greeting: Hello
"""

_FILES = {
    "python/greetings.py": """\
class Greeting:
    def init(self, config):
        self.greeting = config["greeting"]

    def process(self, record):
        return [{"value": f"{self.greeting}, {record.value()}!", "key": record.key()}]
"""
}

_INPUT = "- { key: a1, value: Ada }\n"

_OUTPUT = '- { key: a1, value: "Hello, Ada!" }\n'

AGENT = AgentType(
    name="python-processor",
    component_type=ComponentType.PROCESSOR,
    configuration=PythonCallsConfiguration,
    create=CustomProcessor,
    summary=_SUMMARY,
    description=_DESCRIPTION,
    composable=Composable.OPTIONAL,
    check=check,
    family="custom",
    example=_EXAMPLE,
    example_files=_FILES,
    example_input=_INPUT,
    example_output=_OUTPUT,
)

FUNCTION = AgentType(
    name="python-function",
    component_type=ComponentType.PROCESSOR,
    configuration=PythonCallsConfiguration,
    create=CustomProcessor,
    summary=f"Another name of python-processor. {_SUMMARY}",
    description=_DESCRIPTION,
    composable=Composable.OPTIONAL,
    check=check,
    family="custom",
    example=_EXAMPLE.replace("python-processor", "python-function"),
    example_files=_FILES,
    example_input=_INPUT,
    example_output=_OUTPUT,
)
