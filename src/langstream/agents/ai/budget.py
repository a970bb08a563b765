"""Limits per minute: how many requests an agent sends, and how many tokens they take.

No minute, wherever it begins, sees more than the limits. Tokens are estimated before a request and put right when the
service has counted them; a single request that is greater than the limit goes when nothing else has been used for a
minute. Those who wait are served in the order in which they came, and wake up once, when it is their turn.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from langstream.errors import ServiceError
from langstream.sdk.contract import AgentContext
from langstream.services.ai.contract import Usage

MINUTE_SECONDS: Final = 60.0
BYTES_PER_TOKEN: Final = 4
"""Of UTF-8, on average over languages and models; the service's own count replaces the estimate."""
TOKENS_PER_TEXT: Final = 4
"""What a message costs beside its text."""


@dataclass(slots=True)
class Spending:
    """One request. `tokens` is an estimate until `Budget.correct`."""

    at: float
    tokens: int


class Budget:
    """Shared by the replicas of an agent. A limit of None is none."""

    def __init__(
        self,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        longest_wait_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        window_seconds: float = MINUTE_SECONDS,
    ) -> None:
        self._requests = requests_per_minute
        self._tokens = tokens_per_minute
        self._longest_wait_seconds = longest_wait_seconds
        self._clock = clock
        self._window_seconds = window_seconds
        self._spent: deque[Spending] = deque()
        self._sum = 0
        self._turn = asyncio.Lock()
        self._corrected = asyncio.Event()

    async def spend(self, tokens: int) -> Spending:
        """Wait until the request may go. Raises ServiceError where that takes too long."""
        try:
            async with asyncio.timeout(self._longest_wait_seconds), self._turn:  # the lock serves in order
                while (wait := self._wait(tokens)) > 0:
                    self._corrected.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._corrected.wait(), wait)
        except TimeoutError:
            raise ServiceError(
                f"the agent's own limits ({self._limits()}) let no request through within "
                f"{self._longest_wait_seconds:g} s: raise them, or `budget-wait-seconds`",
                category="rate-limited",
                retry_after_seconds=self._window_seconds,
            ) from None
        spending = Spending(self._clock(), tokens)
        self._spent.append(spending)
        self._sum += tokens
        return spending

    def correct(self, spending: Spending, usage: Usage | None, estimate: int) -> None:
        """What the request really took: the service's count, or the estimate with the answer's tokens in it."""
        tokens = usage.total_tokens if usage is not None and usage.total_tokens else estimate
        if spending.at > self._clock() - self._window_seconds:
            self._sum += tokens - spending.tokens
            spending.tokens = tokens
            self._corrected.set()

    def _wait(self, tokens: int) -> float:
        """Seconds until there is room, 0 for now."""
        now = self._clock()
        spent = self._spent
        while spent and spent[0].at <= now - self._window_seconds:
            self._sum -= spent.popleft().tokens
        if not spent:
            return 0.0
        if self._requests is not None and len(spent) >= self._requests:
            return spent[len(spent) - self._requests].at + self._window_seconds - now
        if self._tokens is None:
            return 0.0
        wait = 0.0
        excess = self._sum + tokens - self._tokens
        for spending in spent:
            if excess <= 0:
                break
            excess -= spending.tokens
            wait = spending.at + self._window_seconds - now
        return wait

    def _limits(self) -> str:
        limits = {"requests": self._requests, "tokens": self._tokens}
        return ", ".join(f"{limit} {name} per minute" for name, limit in limits.items() if limit is not None)


def estimated_tokens(texts: Iterable[str]) -> int:
    """About how many tokens the texts are."""
    return sum(TOKENS_PER_TEXT + -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN) for text in texts)


class Limits(Protocol):
    """The options of an agent that has a budget."""

    @property
    def requests_per_minute(self) -> int | None:
        """Most requests."""

    @property
    def tokens_per_minute(self) -> int | None:
        """Most tokens."""

    @property
    def budget_wait_seconds(self) -> float:
        """The longest wait."""


def budget_of(options: Limits, context: AgentContext) -> Budget | None:
    """The limits of the agent, shared by its replicas; they outlive a restart of its node."""
    requests, tokens, wait = options.requests_per_minute, options.tokens_per_minute, options.budget_wait_seconds
    if requests is None and tokens is None:
        return None
    name = ("ai-budget", context.agent_id, requests, tokens, wait)
    return context.shared.take(name, lambda: Budget(requests, tokens, wait))
