"""How a chat agent uses its memory for one record: what was said before goes into the prompt, the answer is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langstream.agents.ai.exchange import Exchange
from langstream.agents.ai.memory import Memory, MemoryOptions, Turn, session_of, with_history
from langstream.agents.working_record import WorkingRecord
from langstream.expressions import compile_expression
from langstream.templates import compile_template


@dataclass(frozen=True, slots=True)
class Recalled:
    """The prompt with the past in it. `keep` takes the answer."""

    prompt: Sequence[Any]
    keep: Callable[[str], Awaitable[None]]


async def _nothing(answer: str) -> None:
    """No memory."""


@asynccontextmanager
async def without_memory(prompt: Sequence[Any]) -> AsyncIterator[Recalled]:
    """The prompt as it is; the answer is not kept."""
    yield Recalled(prompt, _nothing)


class Recall:
    """The options, compiled."""

    def __init__(self, options: MemoryOptions) -> None:
        self.options = options
        self._session = compile_expression(options.session) if options.session is not None else None
        self._remember = compile_template(options.remember) if options.remember is not None else None

    @asynccontextmanager
    async def turn(
        self, memory: Memory, prompt: Sequence[Any], working: WorkingRecord, exchange: Exchange
    ) -> AsyncIterator[Recalled]:
        """One turn of the record's conversation; no other one happens meanwhile. Raises ServiceError."""
        found = self._session(working) if self._session is not None else exchange.record.key()
        session = session_of(found)
        if session is None or not prompt:
            async with without_memory(prompt) as recalled:
                yield recalled
            return
        question = self._remember(working) if self._remember is not None else str(prompt[-1].content)
        record = exchange.record_id()

        async def keep(answer: str) -> None:
            await memory.add(session, record, Turn(question, answer))

        async with memory.alone(session):
            past = await memory.history(session, record)
            yield Recalled(with_history(prompt, past), keep)
