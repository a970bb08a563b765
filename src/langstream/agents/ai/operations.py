"""The options that say how an agent goes about its calls: fallback, budget, cache, journal, prices."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from langstream.agents.ai.reference import AIServiceName
from langstream.configuration.model import Configuration, Text

Category: TypeAlias = Literal[
    "transient",
    "rate-limited",
    "exhausted",
    "authentication",
    "not-found",
    "malformed",
    "refused",
    "too-long",
    "content-filtered",
]
"""What can be wrong with a call, as `ServiceError` tells it."""

MOVES_ON: Final[tuple[Category, ...]] = (
    "transient",
    "rate-limited",
    "exhausted",
    "authentication",
    "not-found",
    "malformed",
)
"""Failures that are those of the service, rather than those of the question."""


class FallbackService(Configuration):
    """A service that is asked when those before it do not answer."""

    ai_service: AIServiceName = Field(description="The AI resource.")
    model: Text | None = Field(None, description="Its model; by default that of the agent.")
    options: dict[str, Any] | None = Field(
        None,
        description="In place of the agent's `options`. By default those are passed to services of the first one's "
        "type only.",
    )


class CircuitOptions(Configuration):
    """When a service is left alone."""

    failures: int = Field(5, ge=1, description="After so many failures in a row.")
    pause_seconds: float = Field(30.0, gt=0, description="For so long; then one call tries it again.")


class CacheOptions(Configuration):
    """Answers to identical questions."""

    max_entries: int = Field(1_000, ge=1, description="Most answers kept; those used longest ago go first.")
    max_bytes: int = Field(50_000_000, ge=1, description="Most bytes of answers kept.")
    ttl_seconds: float = Field(3600.0, gt=0, description="How long an answer is good.")
    disk: bool = Field(False, description="Keep them in the agent's state directory too, across restarts.")


class JournalOptions(Configuration):
    """Answers received for records that are not committed yet."""

    enabled: bool = Field(True, description="Keep a journal.")
    expire_seconds: float = Field(604_800.0, gt=0, description="How long an answer waits for its record to come again.")
    max_bytes: int = Field(100_000_000, ge=1, description="Most bytes of answers kept; the oldest go first.")


RequestsPerMinute = Annotated[
    int | None, Field(ge=1, description="Most requests a minute, of all replicas in the process together.")
]
TokensPerMinute = Annotated[
    int | None,
    Field(ge=1, description="Most tokens a minute, of prompts and answers, of all replicas in the process together."),
]
BudgetWait = Annotated[
    float, Field(gt=0, description="A record that would wait longer for these limits fails as rate-limited.")
]
