"""Calling user code for every record of a batch: `process` and `write`.

A plain method is called in the agent's thread, strictly one record at a time and in order; one hop to the thread
carries a batch. The first failure ends the batch, and so does the clock, so that a slow agent does not sit on results
that are ready: the records not reached are answered with `NotAttempted`. Methods that are coroutines, or return futures
or awaitables, run for many records at the same time; the runtime keeps equal keys apart.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from langstream.agents.custom.failures import harmless
from langstream.agents.custom.instance import UserAgent, gathered, is_async
from langstream.agents.custom.results import private_copy
from langstream.agents.custom.threads import CodeFailed
from langstream.records import SimpleRecord, key_bytes
from langstream.sdk.contract import Batching, NotAttempted

PLAIN = Batching(max_records=100, concurrency=1, ordering="sequence")
"""For plain methods: whole batches, one call at a time."""

BATCH_SECONDS = 0.02
"""No further record of a batch is begun after this time: results that are ready do not wait for slow ones."""

_OWN_TYPES = frozenset((SimpleRecord, dict, tuple, list))


@dataclass(slots=True)
class _Pending:
    """A future or awaitable that a plain method returned for a record."""

    result: Any


class RecordCalls:
    """Calls one method of a user's agent, record by record."""

    def __init__(
        self, agent: UserAgent, name: str, convert: Callable[[Any, SimpleRecord], Any], concurrency: int = 64
    ) -> None:
        """`concurrency` is for coroutines and futures: many calls at a time, equal keys one after the other."""
        self._concurrent = Batching(max_records=1, concurrency=concurrency, ordering="serial")
        self._agent = agent
        self._where = f"{name}()"
        self._method = getattr(agent.instance, name)
        self._convert = convert
        self._asynchronous = is_async(self._method)
        self.batching = self._concurrent if self._asynchronous else PLAIN

    async def run(self, records: Sequence[SimpleRecord]) -> Sequence[Any]:
        """One outcome per record: what `convert` made of the result, or an exception."""
        if self._asynchronous:
            if len(records) == 1:
                return [await self._begin(records[0])]
            return await asyncio.gather(*map(self._begin, records))
        outcomes: list[Any] = await self._agent.work.submit(self._work_through, records)
        pending = [index for index, outcome in enumerate(outcomes) if type(outcome) is _Pending]
        if pending:
            self.batching = self._concurrent
            settled = await asyncio.gather(*(self._settle(outcomes[index].result, records[index]) for index in pending))
            for index, outcome in zip(pending, settled, strict=True):
                outcomes[index] = outcome
        return outcomes

    async def _begin(self, record: SimpleRecord) -> Any:
        return await self._settled(self._agent.loop.submit(partial(self._converted, record)))

    async def _converted(self, record: SimpleRecord) -> Any:
        """On the agent's loop: what the user's record classes compute belongs there too."""
        return self._convert(await gathered(self._method, _shown(record)), record)

    async def _settle(self, result: Any, record: SimpleRecord) -> Any:
        """Wait for what a plain method returned; convert it off the runtime's loop if user code could run."""
        final = await self._settled(self._agent.settle(result))
        if isinstance(final, Exception):
            return final
        if type(final) is list and all(type(item) in _OWN_TYPES for item in final):
            try:
                return self._convert(final, record)
            except Exception as error:  # a result that is none
                return self._failure(error)
        return await self._settled(self._agent.work.submit(self._convert, final, record))

    async def _settled(self, under_way: Awaitable[Any]) -> Any:
        try:
            return await under_way
        except CodeFailed as failure:
            return self._failure(failure.error)

    def _work_through(self, records: Sequence[SimpleRecord]) -> list[Any]:
        """In the agent's thread. Never raises."""
        outcomes: list[Any] = []
        waiting: set[bytes] = set()  # keys whose future is not settled
        deadline = monotonic() + BATCH_SECONDS
        for record in records:
            if waiting and (key := record.key()) is not None and key_bytes(key) in waiting:
                break
            outcome = self._call(record)
            outcomes.append(outcome)
            if type(outcome) is _Pending:
                if (key := record.key()) is not None:
                    waiting.add(key_bytes(key))
            elif isinstance(outcome, Exception) or monotonic() > deadline:
                break
        return outcomes + [NotAttempted()] * (len(records) - len(outcomes))

    def _call(self, record: SimpleRecord) -> Any:
        try:
            result = self._method(_shown(record))
            if isinstance(result, Future) or inspect.isawaitable(result) or hasattr(result, "__aiter__"):
                return _Pending(result)
            return self._convert(result, record)
        except BaseException as error:  # sys.exit too is the failure of one record
            return self._failure(error)

    def _failure(self, error: BaseException) -> Exception:
        self._agent.failures.report(error, self._where)
        return harmless(error, self._where)


def _shown(record: SimpleRecord) -> SimpleRecord:
    """The record as the user sees it: dicts and lists in it are copies which the user may change."""
    kind = type(record._value)
    return record.with_value(private_copy(record._value)) if kind is dict or kind is list else record
