"""What a record took: headers, and metrics by model."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest

from langstream.agents.ai import text_completions
from langstream.agents.ai.chat_completions import AGENT
from langstream.agents.ai.exchange import Exchange
from langstream.agents.ai.model_call import Answered, Asked
from langstream.errors import ServiceError
from langstream.records import SimpleRecord
from langstream.services.ai.contract import Usage
from langstream.services.ai.prices import Price, cost_of

Bench: TypeAlias = Any

RECORD = SimpleRecord('{"q":"x"}', "k", [("sid", "9")])
CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hello"}],
    "completion-field": "value.answer",
    "usage-headers": True,
}
PRICE = {"m": {"prompt": 2.0, "completion": 8.0}}


async def headers(bench: Bench, configuration: Any) -> dict[str, str]:
    agent = await bench.start(AGENT, configuration)
    ((record,),) = await agent.process_batch([RECORD])
    found = dict(record.headers())
    assert found.pop("sid") == "9"
    return found


async def test_a_record_tells_what_it_took(bench: Bench) -> None:
    assert await headers(bench, CHAT) == {
        "langstream-prompt-tokens": "3",
        "langstream-completion-tokens": "2",
        "langstream-model": "m",
        "langstream-service": "brain",
    }


async def test_without_the_option_it_tells_nothing(bench: Bench) -> None:
    assert await headers(bench, {**CHAT, "usage-headers": False}) == {}


async def test_the_cost_is_that_of_the_declared_prices(bench: Bench) -> None:
    bench.prices = PRICE
    assert (await headers(bench, CHAT))["langstream-cost"] == "0.000022"
    assert bench.metrics.labels["ai_model_cost", "brain", "m"] == pytest.approx(22e-6)


async def test_prices_of_the_agent_go_before_those_of_the_service(bench: Bench) -> None:
    bench.prices = PRICE
    own = {"m": {"prompt": 1_000_000}}
    assert (await headers(bench, {**CHAT, "prices": own}))["langstream-cost"] == "3"


async def test_the_service_that_answered_is_named(bench: Bench) -> None:
    bench.service.script = [[ServiceError("away")]]
    found = await headers(bench, {**CHAT, "fallback": {"ai-service": "second", "model": "m2"}})
    assert (found["langstream-service"], found["langstream-model"]) == ("second", "m2")
    labels = bench.metrics.labels
    assert labels["ai_model_calls", "brain", "m"] == labels["ai_model_errors", "brain", "m"] == 1
    assert labels["ai_model_calls", "second", "m2"] == 1
    assert labels["ai_model_prompt_tokens", "second", "m2"] == 3
    assert labels["ai_model_completion_tokens", "second", "m2"] == 2


async def test_a_record_that_needed_several_calls_tells_their_sum() -> None:
    async def nobody(asked: Asked) -> Any:
        yield None

    exchange = Exchange(RECORD, None, nobody)
    exchange.answered += [Answered("a", "m", Usage(3, 2), 0.5), Answered("b", "n", Usage(4, 1))]
    assert exchange.headers() == [
        ("langstream-prompt-tokens", "7"),
        ("langstream-completion-tokens", "3"),
        ("langstream-model", "n"),
        ("langstream-service", "b"),
        ("langstream-cost", "0.5"),
    ]


async def test_text_completions_tell_it_too(bench: Bench) -> None:
    agent = await bench.start(text_completions.AGENT, {"model": "m", "prompt": "x", "usage-headers": True})
    ((record,),) = await agent.process_batch([RECORD])
    assert dict(record.headers())["langstream-model"] == "m"


def test_a_model_without_a_price_has_no_cost() -> None:
    prices = {"m": Price(prompt=1.0, completion=2.0)}
    assert cost_of(prices, "m", Usage(1_000_000, 500_000)) == 2.0
    assert cost_of(prices, "other", Usage(1, 1)) is None
