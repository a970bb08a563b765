"""The embeddings side of an agent's AI service: which model, how many calls, how many tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langstream.agents.ai.connection import AIConnection
from langstream.errors import AgentFailed, ServiceError
from langstream.sdk.contract import AgentContext, Counter, Metrics, NoMetrics
from langstream.services.ai.contract import Usage


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

    def count(self, usage: Usage | None) -> None:
        """Add what one request used."""
        if usage is not None:
            self.prompt_tokens.inc(usage.prompt_tokens)
            self.total_tokens.inc(usage.total_tokens)


class EmbeddingsClient:
    """Asks the AI service of an agent for vectors."""

    def __init__(self, ai_service: str | None, model: str | None, options: Mapping[str, Any]) -> None:
        self._connection = AIConnection(ai_service, "embeddings")
        self._model = model or ""
        self._options = options
        self._counters = EmbeddingsCounters.of(NoMetrics(), "ai_embeddings")

    async def start(self, context: AgentContext) -> None:
        """Connect. Raises AgentFailed where the application has no fitting service."""
        await self._connection.start(context)
        provider = self._connection.provider
        self._model = self._model or provider.embeddings_model or ""
        if not self._model:
            raise AgentFailed(f"`model` is required with a resource of type {provider.resource_type}")
        self._counters = EmbeddingsCounters.of(context.metrics, f"{provider.metrics_prefix}_embeddings")

    async def close(self) -> None:
        """Let go."""
        await self._connection.close()

    def info(self) -> dict[str, Any]:
        """Facts for the status page."""
        return self._connection.info(self._model)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text, in order. Raises ServiceError."""
        service = self._connection.service
        self._counters.calls.inc()
        self._counters.texts.inc(len(texts))
        try:
            embeddings = await service.embed(self._model, texts, self._options)
        except ServiceError:
            self._counters.errors.inc()
            raise
        self._counters.count(embeddings.usage)
        return [list(vector) for vector in embeddings.vectors]
