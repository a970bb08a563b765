"""How long an AI service is left alone before it is asked again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.errors import ServiceError
from langstream.services.ai.retries import RetryPolicy, asked_wait

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:35 GMT"}, 30.0),
        ({"retry-after": "Fri, 02 Jan 2026 03:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, 360.0),
        ({"anthropic-ratelimit-tokens-reset": "2026-01-02T03:05:05Z"}, 60.0),
        ({"anthropic-ratelimit-tokens-reset": "2026-01-02T03:00:00Z"}, 0.0),
        (
            {
                "anthropic-ratelimit-requests-reset": "2026-01-02T03:09:05Z",
                "anthropic-ratelimit-requests-remaining": "5",
            },
            None,
        ),
        ({"anthropic-ratelimit-requests-reset": "soon"}, None),
        ({"anthropic-ratelimit-requests-reset": "2026-01-02T03:09:05"}, None),
        ({"ratelimit": '"api";r=0;t=55'}, 55.0),
        ({"ratelimit": '"api";r=3;t=55'}, None),
        ({"x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-reset-tokens": "1m1.5s", "x-ratelimit-reset-requests": "2s"}, 61.5),
        ({"x-ratelimit-reset-tokens": "9s", "x-ratelimit-remaining-tokens": "100"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"x-ratelimit-reset-tokens": "a while"}, None),
        ({}, None),
    ],
)
def test_headers_tell_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers, NOW) == pytest.approx(seconds)


def test_waits_double_up_to_the_longest() -> None:
    policy = RetryPolicy(attempts=9, first_delay_seconds=1, longest_delay_seconds=5, spread=lambda longest: longest)
    error = ServiceError("down")
    assert [policy.wait_before_next(attempt, error) for attempt in range(1, 10)] == [1, 2, 4, 5, 5, 5, 5, 5, None]


@given(st.integers(1, 30))
def test_jitter_stays_in_the_upper_half(attempt: int) -> None:
    policy = RetryPolicy(attempts=99)
    longest = min(20.0, 0.5 * 2 ** (attempt - 1))
    wait = policy.wait_before_next(attempt, ServiceError("down"))
    assert wait is not None
    assert longest / 2 <= wait <= longest


def test_what_the_service_asks_goes_before_the_back_off() -> None:
    error = ServiceError("busy", category="rate-limited", retry_after_seconds=12)
    assert RetryPolicy().wait_before_next(1, error) == 12


def test_a_long_wait_is_left_to_the_caller() -> None:
    error = ServiceError("busy", category="rate-limited", retry_after_seconds=3600)
    assert RetryPolicy().wait_before_next(1, error) is None


@pytest.mark.parametrize("category", ["refused", "authentication", "too-long", "content-filtered", "not-found"])
def test_what_cannot_succeed_is_not_tried_again(category: str) -> None:
    assert RetryPolicy().wait_before_next(1, ServiceError("no", category=category)) is None


async def test_a_call_is_repeated_until_it_succeeds() -> None:
    waits: list[float] = []
    failures = [ServiceError("busy", category="rate-limited", retry_after_seconds=3), ServiceError("down")]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def call() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    assert await RetryPolicy(sleep=sleep, spread=lambda longest: longest).run(call) == "done"
    assert waits == [3, 1.0]


async def test_the_last_error_is_raised_when_attempts_are_used_up() -> None:
    calls = 0

    async def sleep(_: float) -> None:
        pass

    async def call() -> None:
        nonlocal calls
        calls += 1
        raise ServiceError(f"failure {calls}")

    with pytest.raises(ServiceError, match="failure 3"):
        await RetryPolicy(attempts=3, sleep=sleep).run(call)


async def test_a_stream_is_opened_again_until_it_has_yielded_something() -> None:
    attempts: list[list[int | ServiceError]] = [[ServiceError("down")], [1, 2, ServiceError("broken")]]
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def opened() -> AsyncGenerator[int, None]:
        for item in attempts.pop(0):
            if isinstance(item, ServiceError):
                raise item
            yield item

    policy = RetryPolicy(sleep=sleep, spread=lambda longest: longest)
    seen: list[int] = []

    async def read() -> None:
        async for item in policy.stream(opened):
            seen.append(item)

    with pytest.raises(ServiceError, match="broken"):
        await read()
    assert seen == [1, 2]
    assert waits == [0.5]
