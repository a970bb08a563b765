"""Agents as stages see them: something that is called with records and answers with one outcome per record.

Synchronous processors in a row are folded into one where they know how. Whatever an agent throws — also what would end
a process — is caught here and becomes the failure of the records it was given.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

from langstream.errors import AgentFailed, RecordError
from langstream.records import Record, SimpleRecord
from langstream.runtime.metrics import AgentCounts
from langstream.runtime.unit import plain
from langstream.sdk.contract import AsyncProcessor, Batching, Place, PlacedProcessor, Processor, Sink

_WHOLE_BATCHES = Batching(max_records=1_000, concurrency=1, ordering="sequence")


class Crash(Exception):
    """The call as a whole failed; no record in particular is known to be the reason."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


Answer: TypeAlias = Sequence[Any] | Crash
"""One outcome per record, or the failure of the call."""


class Worker:
    """A processor or sink, or several synchronous processors fused. `name` is for messages. `streams`: what it has
    answered is with those who asked before its results are."""

    def __init__(
        self, name: str, agent: Processor | AsyncProcessor | Sink, counts: AgentCounts, *, streams: bool = False
    ) -> None:
        self.name = name
        self.streams = streams and isinstance(agent, AsyncProcessor)
        self.agent = agent
        self.counts = counts
        self.synchronous = isinstance(agent, Processor)
        self.sink = isinstance(agent, Sink)
        self.placed = isinstance(agent, PlacedProcessor)
        self.interruptible = isinstance(agent, AsyncProcessor) and agent.interruptible

    @property
    def batching(self) -> Batching:
        """How it wants to be fed now; agents may change their mind."""
        return _WHOLE_BATCHES if isinstance(self.agent, Processor) else self.agent.batching

    def call(self, records: Sequence[SimpleRecord]) -> Answer:
        """Call a synchronous processor."""
        assert isinstance(self.agent, Processor)
        started = time.perf_counter()
        try:
            outcomes = self.agent.process_batch(records)
        except BaseException as error:
            return Crash(harmless(error))
        finally:
            self.counts.processed(len(records), time.perf_counter() - started)
        return self._counted(outcomes, len(records))

    async def acall(self, records: Sequence[SimpleRecord], places: Sequence[Place | None] = ()) -> Answer:
        """Call an asynchronous processor, or write to a sink. `places` are for those that want them."""
        started = time.perf_counter()
        try:
            outcomes: Any
            if isinstance(self.agent, Sink):
                outcomes = await self.agent.write_batch(records)
            elif isinstance(self.agent, PlacedProcessor):
                outcomes = await self.agent.process_placed(records, places)
            else:
                assert isinstance(self.agent, AsyncProcessor)
                outcomes = await self.agent.process_batch(records)
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # it is this node that stops
            return Crash(harmless(error))
        finally:
            self.counts.processed(len(records), time.perf_counter() - started)
        return self._counted(outcomes, len(records))

    def is_told(self, record: SimpleRecord) -> bool:
        """It is too late to cancel the record."""
        return isinstance(self.agent, AsyncProcessor) and self.agent.is_told(record)

    def committed(self, topic: str, partition: int, next_offset: int) -> None:
        """Tell an agent that remembers what it did for records: these never come again."""
        if isinstance(self.agent, PlacedProcessor):
            self.agent.committed(topic, partition, next_offset)

    def settled(self, content: bytes) -> None:
        """The same for one record of a source agent."""
        if isinstance(self.agent, PlacedProcessor):
            self.agent.settled(content)

    def results(self, outcome: Any) -> Sequence[SimpleRecord] | Exception:
        """The records an outcome consists of, or the error it is (or deserves)."""
        if isinstance(outcome, BaseException):
            return harmless(outcome)
        if self.sink:
            return () if outcome is None else self._garbage(outcome, "None or an exception")
        if not isinstance(outcome, Sequence) or isinstance(outcome, str | bytes):
            return self._garbage(outcome, "a list of records or an exception")
        for record in outcome:
            if not isinstance(record, Record):
                return self._garbage(record, "records")
        return [plain(record) for record in outcome]

    def _garbage(self, outcome: Any, expected: str) -> RecordError:
        return RecordError(f"the agent answered with a {type(outcome).__name__} where {expected} was expected")

    def _counted(self, outcomes: Any, expected: int) -> Answer:
        if not isinstance(outcomes, Sequence) or isinstance(outcomes, str | bytes):
            return Crash(AgentFailed(f"the agent answered {expected} records with a {type(outcomes).__name__}"))
        if len(outcomes) != expected:
            return Crash(AgentFailed(f"the agent answered {expected} records with {len(outcomes)} outcomes"))
        return outcomes


def fold(workers: Sequence[Worker]) -> list[Worker]:
    """Synchronous neighbours made into one, from the left, where they gain by it."""
    folded: list[Worker] = []
    for worker in workers:
        last = folded[-1] if folded else None
        if last and isinstance(last.agent, Processor) and isinstance(worker.agent, Processor):
            fused = last.agent.fuse(worker.agent)
            if fused is not None:
                folded[-1] = Worker(f"{last.name} + {worker.name}", fused, last.counts)
                continue
        folded.append(worker)
    return folded


def harmless(error: BaseException) -> Exception:
    """An exception that ends no process and no task: the error itself, if it is one."""
    if isinstance(error, Exception):
        return error
    wrapped = AgentFailed(f"the agent raised {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped
