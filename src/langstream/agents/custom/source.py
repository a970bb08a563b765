"""`python-source`: brings records into the application."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from langstream.agents.custom.configuration import PythonAgentConfiguration, check
from langstream.agents.custom.failures import harmless
from langstream.agents.custom.instance import UserAgent, accepted, gathered, is_async
from langstream.agents.custom.results import record_of, records_of
from langstream.agents.custom.threads import CodeFailed
from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.records import Record
from langstream.sdk.contract import AgentContext, Source

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.001, 0.1
"""Pauses between reads that give nothing: they double, so that an idle source costs nothing and answers quickly."""

Pairs: TypeAlias = list[tuple[Any, Record]]


class CustomSource(Source):
    """Runs the `read` method of a user's class, and tells it what became of the records."""

    def __init__(self, configuration: PythonAgentConfiguration) -> None:
        self._configuration = configuration
        self._agent: UserAgent | None = None
        self._reading: asyncio.Future[Any] | None = None
        self._backlog: deque[Record] = deque()
        self._originals: dict[int, tuple[Record, Any]] = {}
        self._pause = FIRST_PAUSE_SECONDS

    async def start(self, context: AgentContext) -> None:
        """Import and start the user's agent."""
        self._agent = UserAgent(self._configuration, context)
        await self._agent.open("read")

    async def read(self, max_records: int) -> Sequence[Record]:
        """What `read` returned; at most `max_records`, the rest next time. Nothing is lost when this is cancelled."""
        if not self._backlog:
            await self._fetch()
        if not self._backlog:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            return []
        self._pause = FIRST_PAUSE_SECONDS
        count = min(max_records, len(self._backlog))
        return [self._backlog.popleft() for _ in range(count)]

    async def commit(self, records: Sequence[Record]) -> None:
        """Call `commit` with each record, in order: the object that `read` returned."""
        originals = [self._settled(record) for record in records]
        method = getattr(self._agent and self._agent.instance, "commit", None)
        if callable(method):
            await self._each(method, originals)

    async def permanent_failure(self, record: Record, error: Exception) -> None:
        """Call `permanent_failure`; without one, or when it raises, the agent stops."""
        assert self._agent is not None
        if not callable(getattr(self._agent.instance, "permanent_failure", None)):
            raise error
        await self._agent.call("permanent_failure", self._settled(record), error, thread=self._agent.control)

    async def close(self) -> None:
        """Close the user's agent."""
        if self._agent is not None:
            await self._agent.close()

    def info(self) -> dict[str, Any]:
        """What `agent_info` says, and the class."""
        return {"className": self._configuration.class_name, **(self._agent.info() if self._agent else {})}

    async def _fetch(self) -> None:
        """One `read`; one that is still under way from a cancelled call is waited for first."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._call_read())
        try:
            results = await asyncio.shield(self._reading)
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._reading = None
            raise
        self._reading = None
        for original, record in results:
            self._originals[id(record)] = (record, original)
            self._backlog.append(record)

    async def _call_read(self) -> Pairs:
        """Results are made into records where the user's code runs: classes of records may be the user's own."""
        assert self._agent is not None
        agent, method = self._agent, self._agent.instance.read
        try:
            if is_async(method):
                pairs: Pairs = await agent.loop.submit(partial(_read_and_pair, method))
                return pairs
            results = await agent.work.submit(_read_or_begin, method)
            if isinstance(results, _Paired):
                return results.pairs
            made: Pairs = await agent.work.submit(_pairs, await agent.settle(results))
            return made
        except CodeFailed as failure:
            agent.failures.report(failure.error, "read()")
            raise harmless(failure.error, "read()") from None

    async def _each(self, method: Callable[..., Any], originals: Sequence[Any]) -> None:
        assert self._agent is not None
        agent = self._agent
        try:
            if is_async(method):
                for original in originals:
                    await agent.settle(agent.invoke(method, *accepted(method, (original,))))
            else:
                for result in await agent.control.submit(_call_each, method, originals):
                    await agent.settle(result)
        except CodeFailed as failure:
            agent.failures.report(failure.error, "commit()")
            raise harmless(failure.error, "commit()") from None

    def _settled(self, record: Record) -> Any:
        """The user's object for a record, which is over and done with now."""
        return self._originals.pop(id(record), (record, record))[1]


def _call_each(method: Callable[..., Any], originals: Sequence[Any]) -> list[Any]:
    return [method(*accepted(method, (original,))) for original in originals]


@dataclass(frozen=True, slots=True)
class _Paired:
    """Tells records that are ready from a future or awaitable."""

    pairs: Pairs


def _read_or_begin(method: Callable[[], Any]) -> Any:
    results = method()
    if isinstance(results, Future) or inspect.isawaitable(results) or hasattr(results, "__aiter__"):
        return results
    return _Paired(_pairs(results))


async def _read_and_pair(method: Callable[[], Any]) -> Pairs:
    return _pairs(await gathered(method))


def _pairs(results: Any) -> Pairs:
    """Each result as the user made it, beside its record."""
    if not isinstance(results, list | tuple):
        return [(record, record) for record in records_of(results, "read()")]
    records = [record_of(result, "read()") for result in results]
    return [(_original(result, record), record) for result, record in zip(results, records, strict=True)]


def _original(result: Any, record: Record) -> Any:
    """Records come back as the very objects the user made; dicts and tuples as the record made of them."""
    return record if isinstance(result, dict | list | tuple) else result


AGENT = AgentType(
    name="python-source",
    component_type=ComponentType.SOURCE,
    configuration=PythonAgentConfiguration,
    create=CustomSource,
    summary="Runs a Python class of the application that brings records in.",
    description="""\
The class needs a method `read()` that returns a list of records, which may be empty. `commit(record)` is called when a
record, and everything it led to, is safe; `permanent_failure(record, error)` when it failed for good.
Further options are the class's own: `init(config)` gets them.""",
    composable=Composable.OPTIONAL,
    check=check,
    family="custom",
    example="""\
- type: python-source
  output: readings
  configuration:
    className: sensors.Thermometer
    interval: 5
""",
    example_files={
        "python/sensors.py": """\
import time


class Thermometer:
    def init(self, config):
        self.interval = config["interval"]
        self.next = 0.0

    def read(self):
        if time.monotonic() < self.next:
            time.sleep(0.1)
            return []
        self.next = time.monotonic() + self.interval
        return [{"value": {"degrees": 21.5}, "key": "kitchen"}]
"""
    },
)
