"""The models of a completion agent: its service, behind the layers that every call goes through."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from langstream.agents.ai.connection import AIConnection
from langstream.agents.ai.model_call import Answered, Asked
from langstream.agents.ai.options import CompletionConfiguration
from langstream.errors import ServiceError
from langstream.sdk.contract import AgentContext, Counter, Metrics, NoMetrics
from langstream.services.ai.contract import AIProvider, Chunk, Usage


@dataclass(frozen=True, slots=True)
class CompletionCounters:
    """The counters of one agent. Tokens are counted where the service tells them."""

    calls: Counter
    errors: Counter
    prompt_tokens: Counter
    completions_tokens: Counter
    total_tokens: Counter

    @classmethod
    def of(cls, metrics: Metrics, prefix: str) -> CompletionCounters:
        """The counters whose names begin with the prefix, such as `openai_chat_completions`."""
        return cls(
            metrics.counter(f"{prefix}_num_calls", "Calls of the AI service"),
            metrics.counter(f"{prefix}_num_errors", "Calls that failed"),
            metrics.counter(f"{prefix}_prompt_tokens", "Tokens of prompts, as counted by the service"),
            metrics.counter(f"{prefix}_completions_tokens", "Tokens of answers, as counted by the service"),
            metrics.counter(f"{prefix}_total_tokens", "Tokens of prompts and answers"),
        )

    def count(self, usage: Usage | None) -> None:
        """Add what one answer used."""
        if usage is not None:
            self.prompt_tokens.inc(usage.prompt_tokens)
            self.completions_tokens.inc(usage.completion_tokens)
            self.total_tokens.inc(usage.total_tokens)


class Models:
    """Give it to `start` and `close`; `ask` is the outermost layer."""

    def __init__(self, configuration: CompletionConfiguration, task: str) -> None:
        self._configuration = configuration
        self._task = task
        self._connection = AIConnection(configuration.ai_service, "completions")
        self._counters = CompletionCounters.of(NoMetrics(), task)

    @property
    def provider(self) -> AIProvider:
        """Whose service is asked first."""
        return self._connection.provider

    async def start(self, context: AgentContext) -> None:
        """Connect."""
        await self._connection.start(context)
        self._counters = CompletionCounters.of(context.metrics, f"{self.provider.metrics_prefix}_{self._task}")

    async def close(self) -> None:
        """Let go."""
        await self._connection.close()

    def info(self) -> dict[str, Any]:
        """Facts for the status page."""
        return self._connection.info(self._configuration.model)

    async def ask(self, asked: Asked) -> AsyncGenerator[Chunk, None]:
        """The pieces of the answer. Raises ServiceError."""
        service, model = self._connection.service, self._configuration.model
        self._counters.calls.inc()
        try:
            async with aclosing(asked.call.of(service, model, asked.call.options)) as chunks:
                async for chunk in chunks:
                    self._counters.count(chunk.usage)
                    if chunk.last:
                        asked.answered = Answered(self._connection.resource_id, model, chunk.usage or Usage())
                    yield chunk
        except ServiceError:
            self._counters.errors.inc()
            raise
