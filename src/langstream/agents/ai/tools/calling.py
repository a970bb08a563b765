"""Making one call of a tool: the clock, the size of the result, what is counted and logged, and failures in words.

Whatever goes wrong with a call becomes its result, marked as a failure: the model decides what to make of it. Logs name
tools and durations; arguments and results go into the record and nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

import orjson

from langstream.agents.ai.structured_output import Structure
from langstream.agents.ai.tools.configuration import NAME
from langstream.agents.ai.tools.toolbox import Toolbox, ToolFailed
from langstream.configuration.validation import did_you_mean
from langstream.errors import AgentFailed, LangStreamError
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, Counter, Metrics, NoMetrics
from langstream.sdk.tracing import NoTracer, Tracer
from langstream.services.ai.contract import Tool, ToolCall
from langstream.services.ai.schemas import ANSWER_TOOL

LOG = logging.getLogger(__name__)

LONGEST_FAILURE: Final = 2000
AT_ONCE: Final = 16
"""Calls of one turn that are under way at one time."""


@dataclass(frozen=True, slots=True)
class Called:
    """What became of a call. `arguments` are the object, or the text of what was none."""

    call: ToolCall
    arguments: Any
    result: str
    failed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Of every call. `result_size` counts characters."""

    seconds: float
    result_size: int


@dataclass(slots=True)
class _Offered:
    """A tool with its box, and the check of its arguments, which is made when it is first called."""

    tool: Tool
    box: Toolbox
    structure: Structure | None = None


@dataclass(slots=True)
class _Meters:
    calls: Counter
    errors: Counter
    observe: Callable[[float], None]


@dataclass(slots=True)
class Caller:
    """All tools of an agent."""

    boxes: Sequence[Toolbox]
    limits: Limits
    _agent_id: str = ""
    _metrics: Metrics = field(default_factory=NoMetrics)
    _tracer: Tracer = field(default_factory=NoTracer)
    _meters: dict[str, _Meters] = field(default_factory=dict)
    _offered: dict[str, _Offered] = field(default_factory=dict)
    _opened: list[Toolbox] = field(default_factory=list)

    async def start(self, context: AgentContext) -> None:
        """Start the boxes, all at the same time. Raises AgentFailed: one that does not start, or a name given twice."""
        self._agent_id, self._metrics, self._tracer = context.agent_id, context.metrics, context.tracer
        self._opened = list(self.boxes)
        started = await asyncio.gather(*(box.start(context) for box in self.boxes), return_exceptions=True)
        for failure in started:
            if isinstance(failure, BaseException):
                raise failure
        self.tools()

    async def close(self) -> None:
        """Close the boxes. One that fails does not keep the others open."""
        opened, self._opened = self._opened, []
        for failure in await asyncio.gather(*(box.close() for box in opened), return_exceptions=True):
            if isinstance(failure, Exception):
                LOG.warning("Agent %s: a tool cannot be closed: %s", self._agent_id, failure)

    def tools(self) -> tuple[Tool, ...]:
        """What there is now. Raises AgentFailed for a name given twice, or that services refuse."""
        offered: dict[str, _Offered] = {}
        for box in self.boxes:
            for tool in box.tools():
                if tool.name in offered:
                    raise AgentFailed(f"two tools are named '{tool.name}': give one of them another `name` or `prefix`")
                if not NAME.fullmatch(tool.name) or tool.name == ANSWER_TOOL:
                    raise AgentFailed(f"no tool can be named '{tool.name}': give it another `name`")
                known = self._offered.get(tool.name)
                offered[tool.name] = known if known is not None and known.tool is tool else _Offered(tool, box)
        self._offered = offered
        return tuple(found.tool for found in offered.values())

    async def make(self, calls: Sequence[ToolCall], record: SimpleRecord) -> list[Called]:
        """The calls of one turn, at the same time, their results in order."""
        places = asyncio.Semaphore(AT_ONCE)

        async def one(call: ToolCall) -> Called:
            async with places:
                return await self._made(call, record)

        return list(await asyncio.gather(*(one(call) for call in calls)))

    async def _made(self, call: ToolCall, record: SimpleRecord) -> Called:
        began = perf_counter()
        arguments: Any = call.arguments
        named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": call.name, "gen_ai.tool.call.id": call.id}
        with self._tracer.call(f"execute_tool {call.name}", named) as span:
            try:
                arguments = _object(call)
                result, failed = _bounded(await self._result(call, arguments, record), self.limits.result_size), False
            except ToolFailed as failure:
                result, failed = _bounded(str(failure), LONGEST_FAILURE), True
                span.set("error.type", "tool_error")
        seconds = perf_counter() - began
        self._note(call, failed=failed, seconds=seconds)
        return Called(call, arguments, result, failed, seconds)

    async def _result(self, call: ToolCall, arguments: Mapping[str, Any], record: SimpleRecord) -> str:
        offered = self._offered.get(call.name)
        if offered is None:
            known = sorted(self._offered)
            raise ToolFailed(
                f"there is no tool '{call.name}'. {did_you_mean(call.name, known) or ''} There are: {', '.join(known)}."
            )
        if not offered.box.checks_arguments:
            offered.structure = offered.structure or Structure(offered.tool.parameters)
            if violations := offered.structure.violations(arguments):
                raise ToolFailed(f"the arguments do not fit: {'; '.join(violations)}")
        seconds = offered.box.timeout_seconds or self.limits.seconds
        try:
            async with asyncio.timeout(seconds):
                return await offered.box.call(call, arguments, record, seconds)
        except TimeoutError:
            raise ToolFailed(f"the tool '{call.name}' did not answer within {seconds:g} s") from None
        except LangStreamError as error:
            raise ToolFailed(str(error)) from None

    def _note(self, call: ToolCall, *, failed: bool, seconds: float) -> None:
        name = call.name if call.name in self._offered else "unknown"
        meters = self._meters.get(name)
        if meters is None:
            meters = self._meters[name] = self._made_meters(name)
        meters.calls.inc()
        meters.observe(seconds)
        if failed:
            meters.errors.inc()
        outcome = "failed" if failed else "answered"
        LOG.info("Agent %s: tool %r %s after %.3f s", self._agent_id, name, outcome, seconds)

    def _made_meters(self, name: str) -> _Meters:
        prefix = f"tool_{name.replace('-', '_')}"
        return _Meters(
            self._metrics.counter(f"{prefix}_num_calls", f"Calls of the tool {name}"),
            self._metrics.counter(f"{prefix}_num_errors", f"Calls of the tool {name} that failed"),
            self._metrics.histogram(f"{prefix}_seconds", f"Duration of calls of the tool {name}"),
        )


def _object(call: ToolCall) -> dict[str, Any]:
    """The arguments. Raises ToolFailed where the model wrote something else."""
    try:
        found = orjson.loads(call.arguments)
    except ValueError as error:
        raise ToolFailed(f"the arguments are not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ToolFailed("the arguments must be a JSON object")
    return found


def _bounded(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n(cut off: these are {longest} of {len(text)} characters)"
