"""What models cost, as users declare it: services tell tokens, never prices."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from langstream.configuration.model import Configuration
from langstream.services.ai.contract import Usage


class Price(Configuration):
    """The price of one model, per million tokens, in whatever currency."""

    prompt: float = Field(0.0, ge=0, description="For a million tokens of prompts.")
    completion: float = Field(0.0, ge=0, description="For a million tokens of answers.")


def cost_of(prices: Mapping[str, Price], model: str, usage: Usage) -> float | None:
    """What the tokens cost, or None where the model has no price."""
    price = prices.get(model)
    if price is None:
        return None
    return (usage.prompt_tokens * price.prompt + usage.completion_tokens * price.completion) / 1_000_000
