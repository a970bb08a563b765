"""The embeddings side of an agent's AI services: which models, how many calls, how many tokens, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langstream.agents.ai.budget import Budget, budget_of, estimated_tokens
from langstream.agents.ai.connection import AIConnection
from langstream.agents.ai.counters import LayerCounters, ModelCounters
from langstream.agents.ai.operations import MOVES_ON
from langstream.agents.ai.succession import all_failed, candidates, note_failure, note_success
from langstream.errors import AgentFailed, ServiceError
from langstream.sdk.contract import AgentContext, Counter, Metrics, NoMetrics
from langstream.sdk.tracing import Attribute, NoTracer, Tracer
from langstream.services.ai.circuit import Circuit
from langstream.services.ai.contract import Embeddings, Usage
from langstream.services.ai.prices import Price, cost_of

if TYPE_CHECKING:
    from langstream.agents.ai.embeddings import EmbeddingsConfiguration


@dataclass(frozen=True, slots=True)
class EmbeddingsCounters:
    """The counters of one agent."""

    calls: Counter
    errors: Counter
    texts: Counter
    prompt_tokens: Counter
    total_tokens: Counter

    @classmethod
    def of(cls, metrics: Metrics, prefix: str) -> EmbeddingsCounters:
        """The counters whose names begin with the prefix, such as `openai_embeddings`."""
        return cls(
            metrics.counter(f"{prefix}_num_calls", "Calls of the AI service"),
            metrics.counter(f"{prefix}_num_errors", "Calls that failed"),
            metrics.counter(f"{prefix}_num_texts", "Texts sent"),
            metrics.counter(f"{prefix}_prompt_tokens", "Tokens of the texts, as counted by the service"),
            metrics.counter(f"{prefix}_total_tokens", "Tokens in all, as counted by the service"),
        )

    def count(self, usage: Usage) -> None:
        """Add what one request used."""
        self.prompt_tokens.inc(usage.prompt_tokens)
        self.total_tokens.inc(usage.total_tokens)


@dataclass(frozen=True, slots=True)
class VectorRoute:
    """One service with the model to ask there."""

    connection: AIConnection
    model: str
    prices: Mapping[str, Price]
    counters: EmbeddingsCounters
    by_model: ModelCounters
    circuit: Circuit

    @property
    def name(self) -> str:
        """Tells it from the others."""
        return f"{self.connection.resource_id}/{self.model}"

    async def embed(self, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        """The vectors, counted. Raises ServiceError."""
        self.counters.calls.inc()
        self.counters.texts.inc(len(texts))
        self.by_model.calls.inc()
        try:
            embeddings = await self.connection.service.embed(self.model, texts, options)
        except ServiceError:
            self.counters.errors.inc()
            self.by_model.errors.inc()
            raise
        if embeddings.usage is not None:
            self.counters.count(embeddings.usage)
            self.by_model.count(embeddings.usage, cost_of(self.prices, self.model, embeddings.usage))
        return embeddings


class EmbeddingsClient:
    """Asks the AI services of an agent for vectors."""

    def __init__(self, configuration: EmbeddingsConfiguration, options: Mapping[str, Any]) -> None:
        self._configuration = configuration
        self._options = options
        self._tracer: Tracer = NoTracer()
        self._budget: Budget | None = None
        self._passed_on: Counter = NoMetrics().counter("ai_fallbacks")
        self._connections: list[AIConnection] = []
        self._routes: list[VectorRoute] = []

    async def start(self, context: AgentContext) -> None:
        """Connect. Raises AgentFailed where the application has no fitting service."""
        configuration, self._tracer = self._configuration, context.tracer
        self._budget = budget_of(configuration, context)
        self._passed_on = LayerCounters.of(context.metrics).fallbacks
        first = await self._open(configuration.ai_service, configuration.model, context)
        for entry in configuration.fallback:
            await self._open(entry.ai_service, entry.model or first.model, context)

    async def close(self) -> None:
        """Let go."""
        connections, self._connections, self._routes = self._connections, [], []
        for connection in connections:
            await connection.close()

    def info(self) -> dict[str, Any]:
        """Facts for the status page."""
        if not self._routes:
            return {}
        facts = self._routes[0].connection.info(self._routes[0].model)
        if len(self._routes) > 1:
            facts["fallback"] = [route.connection.resource_id for route in self._routes[1:]]
        return facts

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text, in order, by the first service that answers. Raises ServiceError."""
        if not self._routes:
            raise AgentFailed("the agent is not started")
        model = self._routes[0].model
        named: dict[str, Attribute] = {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.request.model": model,
            "langstream.texts": len(texts),
        }
        with self._tracer.call(f"embeddings {model}", named):
            return await self._embed(texts)

    async def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        failures: list[tuple[VectorRoute, ServiceError]] = []
        for route in candidates(self._routes) if len(self._routes) > 1 else self._routes:
            if failures:
                self._passed_on.inc()
            decided = False
            try:
                embeddings = await self._within_budget(route, texts)
                decided = True
                note_success(route)
                return [list(vector) for vector in embeddings.vectors]
            except ServiceError as error:
                decided = True
                note_failure(route, error)
                if len(self._routes) == 1 or error.category not in MOVES_ON:
                    raise
                failures.append((route, error))
            finally:
                if not decided:
                    route.circuit.abandoned()
        raise all_failed(failures)

    async def _within_budget(self, route: VectorRoute, texts: Sequence[str]) -> Embeddings:
        if self._budget is None:
            return await route.embed(texts, self._options)
        estimate = estimated_tokens(texts)
        spending = await self._budget.spend(estimate)
        usage: Usage | None = None
        try:
            embeddings = await route.embed(texts, self._options)
            usage = embeddings.usage
        finally:
            self._budget.correct(spending, usage, estimate)
        return embeddings

    async def _open(self, ai_service: str | None, model: str | None, context: AgentContext) -> VectorRoute:
        connection = AIConnection(ai_service, "embeddings")
        self._connections.append(connection)
        await connection.start(context)
        provider = connection.provider
        model = model or provider.embeddings_model
        if not model:
            raise AgentFailed(f"`model` is required with a resource of type {provider.resource_type}")
        options = self._configuration.circuit
        name = ("ai-circuit", context.agent_id, connection.resource_id, model)
        route = VectorRoute(
            connection,
            model,
            {**connection.prices, **self._configuration.prices},
            EmbeddingsCounters.of(context.metrics, f"{provider.metrics_prefix}_embeddings"),
            ModelCounters.of(context.metrics, connection.resource_id, model),
            context.shared.take(name, lambda: Circuit(options.failures, options.pause_seconds)),
        )
        self._routes.append(route)
        return route
