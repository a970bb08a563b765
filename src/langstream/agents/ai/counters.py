"""What completion agents count: calls and tokens by service, and calls, tokens and cost by model."""

from __future__ import annotations

from dataclasses import dataclass

from langstream.sdk.contract import Counter, Metrics
from langstream.services.ai.contract import Usage


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

    def count(self, usage: Usage) -> None:
        """Add what one answer used."""
        self.prompt_tokens.inc(usage.prompt_tokens)
        self.completions_tokens.inc(usage.completion_tokens)
        self.total_tokens.inc(usage.total_tokens)


@dataclass(frozen=True, slots=True)
class ModelCounters:
    """The counters of one model of one service, as labels `service` and `model`."""

    calls: Counter
    errors: Counter
    prompt_tokens: Counter
    completion_tokens: Counter
    cost: Counter

    @classmethod
    def of(cls, metrics: Metrics, service: str, model: str) -> ModelCounters:
        """Those of an agent."""
        labels = {"service": service, "model": model}
        return cls(
            metrics.labelled("ai_model_calls", "Calls of the model", labels),
            metrics.labelled("ai_model_errors", "Calls that failed", labels),
            metrics.labelled("ai_model_prompt_tokens", "Tokens of prompts", labels),
            metrics.labelled("ai_model_completion_tokens", "Tokens of answers", labels),
            metrics.labelled("ai_model_cost", "Cost by the declared prices", labels),
        )

    def count(self, usage: Usage, cost: float | None) -> None:
        """Add what one request used."""
        self.prompt_tokens.inc(usage.prompt_tokens)
        self.completion_tokens.inc(usage.completion_tokens)
        if cost is not None:
            self.cost.inc(cost)


@dataclass(frozen=True, slots=True)
class LayerCounters:
    """Calls that were not simply made."""

    fallbacks: Counter
    cache_hits: Counter
    journal_hits: Counter

    @classmethod
    def of(cls, metrics: Metrics) -> LayerCounters:
        """Those of an agent."""
        return cls(
            metrics.counter("ai_fallbacks", "Calls that went on to another service"),
            metrics.counter("ai_cache_hits", "Calls answered from the cache, or together with an identical one"),
            metrics.counter("ai_journal_hits", "Calls answered from the journal"),
        )
