"""Anthropic: the Messages API of Claude."""

from __future__ import annotations

from typing import Final

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
    example_resource="""\
- type: anthropic-configuration
  name: claude
  configuration:
    access-key: "${secrets.anthropic.access-key}"
""",
    example="""\
- type: ai-chat-completions
  input: questions
  output: answers
  configuration:
    ai-service: claude
    model: claude-3-5-haiku-latest
    completion-field: value.answer
    messages:
      - role: system
        content: Answer in one sentence.
      - role: user
        content: "{{{ value.question }}}"
""",
)
