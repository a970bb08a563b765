"""The services that an agent may ask, in order, each with its model; and what one call of one of them involves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from langstream.agents.ai.budget import Budget, estimated_tokens
from langstream.agents.ai.connection import AIConnection
from langstream.agents.ai.counters import CompletionCounters, ModelCounters
from langstream.agents.ai.model_call import Answered, Asked
from langstream.agents.ai.options import CompletionConfiguration
from langstream.errors import AgentFailed, ServiceError
from langstream.sdk.contract import AgentContext
from langstream.services.ai.circuit import Circuit
from langstream.services.ai.contract import Chunk, CompletionOptions, Usage
from langstream.services.ai.prices import Price, cost_of


@dataclass(slots=True)
class Route:
    """One service with the model to ask there. `extra` None: the options of the call as they are."""

    connection: AIConnection
    model: str
    extra: Mapping[str, Any] | None
    prices: Mapping[str, Price]
    counters: CompletionCounters
    by_model: ModelCounters
    circuit: Circuit
    budget: Budget | None

    @property
    def name(self) -> str:
        """Tells it from the others."""
        return f"{self.connection.resource_id}/{self.model}"

    async def ask(self, asked: Asked) -> AsyncGenerator[Chunk, None]:
        """The pieces of this service's answer, within the budget, counted. Raises ServiceError."""
        estimate = estimated_tokens(asked.call.texts())
        spending = await self.budget.spend(estimate) if self.budget is not None else None
        self.counters.calls.inc()
        self.by_model.calls.inc()
        usage: Usage | None = None
        size = 0
        try:
            service = self.connection.service
            async with aclosing(asked.call.of(service, self.model, self._options(asked.call.options))) as chunks:
                async for chunk in chunks:
                    size += len(chunk.text)
                    if chunk.usage is not None:
                        usage = chunk.usage
                        self._count(usage)
                    if chunk.last:
                        asked.answered = self._answered(usage)
                    yield chunk
        except ServiceError:
            self.counters.errors.inc()
            self.by_model.errors.inc()
            raise
        finally:
            if spending is not None and self.budget is not None:
                self.budget.correct(spending, usage, estimate + size // 4)

    def _options(self, options: CompletionOptions) -> CompletionOptions:
        return options if self.extra is None else replace(options, extra=self.extra)

    def _count(self, usage: Usage) -> None:
        self.counters.count(usage)
        self.by_model.count(usage, cost_of(self.prices, self.model, usage))

    def _answered(self, usage: Usage | None) -> Answered:
        usage = usage or Usage()
        return Answered(self.connection.resource_id, self.model, usage, cost_of(self.prices, self.model, usage))


class Routes:
    """Connects the services of an agent; give it to `start` and `close`."""

    def __init__(self, configuration: CompletionConfiguration, task: str) -> None:
        self._configuration = configuration
        self._task = task
        self._connections: list[AIConnection] = []

    @property
    def first(self) -> AIConnection:
        """The service that is asked first. Raises AgentFailed before `start`."""
        if not self._connections:
            raise AgentFailed("the agent is not started")
        return self._connections[0]

    async def start(self, context: AgentContext, budget: Budget | None) -> Sequence[Route]:
        """The routes in order, the first one first. Raises AgentFailed."""
        configuration = self._configuration
        first = await self._connected(configuration.ai_service, context)
        routes = [self._route(first, configuration.model, None, context, budget)]
        for entry in configuration.fallback:
            connection = await self._connected(entry.ai_service, context)
            extra = entry.options
            if extra is None and connection.provider.resource_type != first.provider.resource_type:
                extra = {}
            routes.append(self._route(connection, entry.model or configuration.model, extra, context, budget))
        return routes

    async def close(self) -> None:
        """Let go of all of them."""
        connections, self._connections = self._connections, []
        for connection in connections:
            await connection.close()

    def info(self) -> dict[str, Any]:
        """Facts for the status page."""
        if not self._connections:
            return {"model": self._configuration.model}
        facts = self._connections[0].info(self._configuration.model)
        if len(self._connections) > 1:
            facts["fallback"] = [connection.resource_id for connection in self._connections[1:]]
        return facts

    async def _connected(self, ai_service: str | None, context: AgentContext) -> AIConnection:
        connection = AIConnection(ai_service, "completions")
        self._connections.append(connection)
        await connection.start(context)
        return connection

    def _route(
        self,
        connection: AIConnection,
        model: str,
        extra: Mapping[str, Any] | None,
        context: AgentContext,
        budget: Budget | None,
    ) -> Route:
        configuration = self._configuration
        name = ("ai-circuit", context.agent_id, connection.resource_id, model)
        options = configuration.circuit
        circuit = context.shared.take(name, lambda: Circuit(options.failures, options.pause_seconds))
        return Route(
            connection,
            model,
            extra,
            {**connection.prices, **configuration.prices},
            CompletionCounters.of(context.metrics, f"{connection.provider.metrics_prefix}_{self._task}"),
            ModelCounters.of(context.metrics, connection.resource_id, model),
            circuit,
            budget,
        )
