"""Anthropic: the Messages API of Claude."""

from __future__ import annotations

from typing import Final

from langstream.services.ai import example
from langstream.services.ai.anthropic.configuration import AnthropicConfiguration
from langstream.services.ai.contract import AIProvider, AIService


def _connect(configuration: AnthropicConfiguration) -> AIService:
    from langstream.services.ai.anthropic.service import AnthropicService

    return AnthropicService(configuration)


PROVIDER: Final = AIProvider(
    resource_type="anthropic-configuration",
    configuration=AnthropicConfiguration,
    connect=_connect,
    summary="Anthropic: the Messages API of Claude. It has no embeddings.",
    metrics_prefix="anthropic",
    tasks=("completions",),
    tools=True,
    example_resource=example.resource(
        "anthropic-configuration",
        "claude",
        'access-key: "${secrets.anthropic.access-key}"\n',
    ),
    example=example.answer("claude", chat="claude-3-5-haiku-latest"),
)
