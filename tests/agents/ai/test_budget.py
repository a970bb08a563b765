"""Limits per minute, shown with a minute that is a fraction of a second long."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langstream.agents.ai.budget import Budget, estimated_tokens
from langstream.agents.ai.chat_completions import AGENT
from langstream.agents.ai.embeddings import AGENT as EMBEDDINGS
from langstream.errors import ServiceError
from langstream.records import SimpleRecord
from langstream.services.ai.contract import Chunk, Usage

Bench: TypeAlias = Any

WINDOW = 0.1


async def spent(budget: Budget, sizes: list[int]) -> list[tuple[float, int]]:
    """When each request of these sizes went, all of them wanting to go at once."""

    async def one(size: int) -> tuple[float, int]:
        spending = await budget.spend(size)
        return spending.at, size

    return sorted(await asyncio.gather(*map(one, sizes)))


def within_windows(moments: list[tuple[float, int]]) -> list[list[int]]:
    """The sizes in each window that begins with a request. A rounding error wide at its end."""
    return [[size for at, size in moments if begin <= at < begin + WINDOW - 1e-6] for begin, _ in moments]


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 5), st.integers(1, 12))
async def test_no_minute_sees_more_requests_than_the_limit(limit: int, count: int) -> None:
    moments = await spent(Budget(limit, None, 600, window_seconds=WINDOW), [1] * count)
    assert len(moments) == count
    assert max(map(len, within_windows(moments))) <= limit


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 100), min_size=1, max_size=10))
async def test_no_minute_sees_more_tokens_than_the_limit(sizes: list[int]) -> None:
    moments = await spent(Budget(None, 100, 600, window_seconds=WINDOW), sizes)
    assert len(moments) == len(sizes)
    assert max(map(sum, within_windows(moments))) <= 100


async def test_those_who_wait_are_served_in_order() -> None:
    budget = Budget(2, None, 600, window_seconds=WINDOW)
    order: list[int] = []

    async def one(number: int) -> None:
        await budget.spend(1)
        order.append(number)

    await asyncio.gather(*map(one, range(7)))
    assert order == list(range(7))


async def test_a_request_greater_than_the_limit_goes_alone() -> None:
    moments = await spent(Budget(None, 10, 600, window_seconds=WINDOW), [5, 50, 5])
    assert sorted(map(sum, within_windows(moments))) == [5, 5, 50]


async def test_the_count_of_the_service_replaces_the_estimate() -> None:
    budget = Budget(None, 100, 0.05, window_seconds=1000)
    first = await budget.spend(90)
    budget.correct(first, Usage(10, 10), 90)
    await budget.spend(80)
    with pytest.raises(ServiceError) as caught:
        await budget.spend(1)
    assert caught.value.category == "rate-limited"
    assert caught.value.retry_after_seconds
    assert "100 tokens per minute" in str(caught.value)


async def test_a_correction_lets_those_go_who_wait() -> None:
    budget = Budget(None, 100, 600, window_seconds=1000)
    first = await budget.spend(100)
    waiting = asyncio.create_task(budget.spend(60))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    budget.correct(first, Usage(30, 10), 100)
    await asyncio.wait_for(waiting, 60)


async def test_one_who_goes_away_keeps_nobody_waiting() -> None:
    budget = Budget(1, None, 600, window_seconds=WINDOW)
    await budget.spend(1)
    leaving, staying = asyncio.create_task(budget.spend(1)), asyncio.create_task(budget.spend(1))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait_for(staying, 60)


async def test_those_who_wait_look_at_the_clock_a_few_times_only() -> None:
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return time.monotonic()

    budget = Budget(1, None, 600, clock, window_seconds=0.2)
    await asyncio.gather(*(budget.spend(1) for _ in range(3)))
    assert looks < 100


def test_tokens_are_estimated_by_bytes() -> None:
    assert estimated_tokens([]) == 0
    assert estimated_tokens(["x" * 400]) == 104
    assert estimated_tokens(["é" * 400, ""]) == 208


CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "completion-field": "value"}


async def test_replicas_share_the_limits_of_their_agent(bench: Bench) -> None:
    limited = {**CHAT, "requests-per-minute": 2, "budget-wait-seconds": 0.05}
    one, other = await bench.start(AGENT, limited), await bench.start(AGENT, limited)
    outcomes = [(await agent.process_batch([SimpleRecord("x", "k")]))[0] for agent in (one, other, one)]
    assert [isinstance(outcome, ServiceError) for outcome in outcomes] == [False, False, True]
    assert len(bench.service.calls) == 2


async def test_an_agent_takes_no_more_records_than_its_minute_has_requests(bench: Bench) -> None:
    assert (await bench.start(AGENT, {**CHAT, "requests-per-minute": 7})).batching.concurrency == 7
    assert (await bench.start(AGENT, {**CHAT, "tokens-per-minute": 7})).batching.concurrency == 1024


async def test_every_service_that_is_asked_counts(bench: Bench) -> None:
    bench.service.script = [[ServiceError("away")]]
    limited = {**CHAT, "requests-per-minute": 2, "budget-wait-seconds": 0.05, "fallback": {"ai-service": "second"}}
    agent = await bench.start(AGENT, limited)
    first, second = [(await agent.process_batch([SimpleRecord("x", "k")]))[0] for _ in range(2)]
    assert not isinstance(first, ServiceError)
    assert isinstance(second, ServiceError)


async def test_an_answer_without_a_count_is_estimated(bench: Bench) -> None:
    bench.service.script = [[Chunk("y" * 4000, "id", last=True)]]
    agent = await bench.start(AGENT, {**CHAT, "tokens-per-minute": 500, "budget-wait-seconds": 0.05})
    first, second = [(await agent.process_batch([SimpleRecord("x", "k")]))[0] for _ in range(2)]
    assert not isinstance(first, ServiceError)
    assert isinstance(second, ServiceError)


async def test_embeddings_have_a_budget_too(bench: Bench) -> None:
    limited = {"text": "{{ value }}", "embeddings-field": "value", "requests-per-minute": 1}
    agent = await bench.start(EMBEDDINGS, {**limited, "budget-wait-seconds": 0.05})
    first, second = [(await agent.process_batch([SimpleRecord("x", "k")]))[0] for _ in range(2)]
    assert not isinstance(first, ServiceError)
    assert isinstance(second, ServiceError)
