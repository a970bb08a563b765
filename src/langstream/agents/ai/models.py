"""The models of a completion agent, behind the layers that every call goes through.

From the outside in: the journal, the cache, the services in order, the budget, the service.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from langstream.agents.ai.budget import budget_of
from langstream.agents.ai.cache import Cache, cached
from langstream.agents.ai.counters import LayerCounters
from langstream.agents.ai.fallback import in_order
from langstream.agents.ai.journal import journalled
from langstream.agents.ai.kept_answer import prepare
from langstream.agents.ai.memory import Memory, MemoryOptions
from langstream.agents.ai.model_call import Asked, Asker
from langstream.agents.ai.options import CompletionConfiguration
from langstream.agents.ai.routes import Route, Routes
from langstream.agents.ai.state import AgentState
from langstream.errors import AgentFailed
from langstream.sdk.contract import AgentContext
from langstream.services.ai.contract import AIProvider, Chunk


class Models:
    """Give it to `start` and `close`; `ask` is the outermost layer."""

    def __init__(self, configuration: CompletionConfiguration, task: str, memory: MemoryOptions | None = None) -> None:
        self._configuration = configuration
        self._routes = Routes(configuration, task)
        self._memory = memory
        self._context: AgentContext | None = None
        self._state: AgentState | None = None
        self._asker: Asker | None = None

    async def start(self, context: AgentContext) -> None:
        """Connect, and open the agent's state. Raises AgentFailed."""
        configuration = self._configuration
        routes = await self._routes.start(context, budget_of(configuration, context))
        counters = LayerCounters.of(context.metrics)
        asker = in_order(routes, frozenset(configuration.fallback_on), counters.fallbacks)
        await self._open_state(context)
        if configuration.cache is not None:
            asker = cached(await self._cache(context), asker, _scope(routes), counters.cache_hits)
        if self._state is not None and self._state.journal is not None:
            asker = journalled(self._state.journal, asker, counters.journal_hits)
        if configuration.cache is not None or self._state is not None:
            await asyncio.to_thread(prepare)
        self._asker = asker

    async def close(self) -> None:
        """Let go."""
        await self._routes.close()
        self._asker = None
        context, state = self._context, self._state
        self._context = self._state = None
        if context is not None and state is not None and context.shared.release(_state_name(context)):
            await state.close()

    @property
    def provider(self) -> AIProvider:
        """Whose service is asked first."""
        return self._routes.first.provider

    @property
    def memory(self) -> Memory | None:
        """Where conversations are kept, if the agent remembers them."""
        return self._state.memory if self._state is not None else None

    def info(self) -> dict[str, Any]:
        """Facts for the status page."""
        return self._routes.info()

    def committed(self, topic: str, partition: int, next_offset: int) -> None:
        """Records before the offset never come again."""
        if self._state is not None and self._state.journal is not None:
            self._state.journal.committed(topic, partition, next_offset)

    def settled(self, content: bytes) -> None:
        """The same for one record of a source agent."""
        if self._state is not None and self._state.journal is not None:
            self._state.journal.settled(content)

    async def ask(self, asked: Asked) -> AsyncGenerator[Chunk, None]:
        """The pieces of the answer. Raises ServiceError."""
        if self._asker is None:
            raise AgentFailed("the agent is not started")
        async with aclosing(self._asker(asked)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _open_state(self, context: AgentContext) -> None:
        configuration, memory = self._configuration, self._memory
        kept_on_disk = configuration.journal.enabled or (configuration.cache is not None and configuration.cache.disk)
        if memory is None and not (kept_on_disk and context.shared_directory is not None):
            return
        self._context = context
        self._state = context.shared.take(
            _state_name(context), lambda: AgentState(context.shared_directory, configuration.journal, memory)
        )
        await self._state.start()

    async def _cache(self, context: AgentContext) -> Cache:
        options = self._configuration.cache
        assert options is not None
        cache = context.shared.take(("ai-cache", context.agent_id, options.model_dump_json()), lambda: Cache(options))
        if options.disk and self._state is not None:
            await cache.load(self._state.file)
        return cache


def _state_name(context: AgentContext) -> tuple[str, str]:
    return "ai-state", context.agent_id


def _scope(routes: Sequence[Route]) -> bytes:
    """Other services, or other models, give other answers."""
    return hashlib.blake2b("\n".join(route.name for route in routes).encode(), digest_size=8).digest()
