"""When to ask an AI service again, and how long to wait before.

What the service itself says (`Retry-After` and its relatives) goes before the exponential back-off. A wait longer
than `longest_wait_seconds` is not sat out here: the error goes to the caller with `retry_after_seconds` set.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import SystemRandom
from typing import Final, TypeVar

from langstream.errors import ServiceError

Result = TypeVar("Result")

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DRAFT_LIMIT: Final = re.compile(r";\s*r=(\d+)\s*;\s*t=(\d+)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _spread(longest: float) -> float:
    """Somewhere in the upper half, so that clients which failed together do not come back together."""
    return SystemRandom().uniform(longest / 2, longest)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in all; waits of 0.5 s, 1 s, 2 s … at most `longest_delay_seconds`, each shortened at random."""

    attempts: int = 4
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 20.0
    longest_wait_seconds: float = 60.0
    spread: Callable[[float], float] = field(default=_spread, repr=False)
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False)

    def wait_before_next(self, attempt: int, error: ServiceError) -> float | None:
        """Seconds to wait after the failed attempt (the first is 1), or None: give up."""
        if not error.retryable or attempt >= self.attempts:
            return None
        asked = error.retry_after_seconds
        if asked is not None:
            return asked if asked <= self.longest_wait_seconds else None
        return self.spread(min(self.longest_delay_seconds, self.first_delay_seconds * 2 ** (attempt - 1)))

    async def run(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """The result of the call, repeated as the policy says. Raises the last ServiceError."""
        attempt = 1
        while True:
            try:
                return await call()
            except ServiceError as error:
                wait = self.wait_before_next(attempt, error)
                if wait is None:
                    raise
            await self.sleep(wait)
            attempt += 1

    async def stream(self, open: Callable[[], AsyncGenerator[Result, None]]) -> AsyncGenerator[Result, None]:
        """What the opened generator yields; opened again as the policy says until it has yielded something."""
        attempt = 1
        while True:
            seen = False
            try:
                async with aclosing(open()) as items:
                    async for item in items:
                        seen = True
                        yield item
                return
            except ServiceError as error:
                wait = None if seen else self.wait_before_next(attempt, error)
                if wait is None:
                    raise
            await self.sleep(wait)
            attempt += 1


def asked_wait(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """How many seconds the headers of a refusal ask to wait, or None where they say nothing."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if (text := headers.get("retry-after")) is not None:
        seconds = _number(text)
        return seconds if seconds is not None else _until(text, now or datetime.now(UTC))
    return _rate_limit_reset(headers, now or datetime.now(UTC))


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < float("inf") else None


def _until(date: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": UTC of unknown origin
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _rate_limit_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """The longest reset among the limits that are used up, under the names of OpenAI, Anthropic and the IETF draft."""
    waits = []
    for kind in ("requests", "tokens", "input-tokens", "output-tokens"):
        if headers.get(f"x-ratelimit-remaining-{kind}", "0") == "0":
            waits.append(_duration(headers.get(f"x-ratelimit-reset-{kind}")))
        if headers.get(f"anthropic-ratelimit-{kind}-remaining", "0") == "0":
            waits.append(_until_timestamp(headers.get(f"anthropic-ratelimit-{kind}-reset"), now))
    for remaining, seconds in _DRAFT_LIMIT.findall(headers.get("ratelimit", "")):
        if int(remaining) == 0:
            waits.append(float(seconds))
    return max((wait for wait in waits if wait is not None), default=None)


def _until_timestamp(text: str | None, now: datetime) -> float | None:
    """Seconds until a moment written as in RFC 3339."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None:
        return None
    return max(0.0, (moment - now).total_seconds())


def _duration(text: str | None) -> float | None:
    """`6m0s`, `20ms`, `1.5s` or plain seconds."""
    if text is None:
        return None
    text = text.strip()
    if (seconds := _number(text)) is not None:
        return seconds
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
