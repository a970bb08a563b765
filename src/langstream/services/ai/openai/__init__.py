"""OpenAI, Azure OpenAI and every server that speaks their protocol."""

from __future__ import annotations

from typing import Final

from langstream.services.ai.contract import AIProvider, AIService
from langstream.services.ai.openai.configuration import OpenAIConfiguration


def _connect(configuration: OpenAIConfiguration) -> AIService:
    from langstream.services.ai.openai.service import OpenAIService

    return OpenAIService(configuration)


PROVIDER: Final = AIProvider(
    resource_type="open-ai-configuration",
    configuration=OpenAIConfiguration,
    connect=_connect,
    summary="OpenAI, Azure OpenAI, or any compatible server named by `url`.",
    metrics_prefix="openai",
    embeddings_model="text-embedding-ada-002",
    tools=True,
    example_resource="""\
- type: open-ai-configuration
  name: openai
  configuration:
    access-key: "${secrets.open-ai.access-key}"
""",
    example="""\
- type: compute-ai-embeddings
  input: questions
  configuration:
    ai-service: openai
    model: text-embedding-3-small
    text: "{{{ value.question }}}"
    embeddings-field: value.embeddings
- type: ai-chat-completions
  output: answers
  configuration:
    ai-service: openai
    model: gpt-4o-mini
    completion-field: value.answer
    messages:
      - role: system
        content: Answer in one sentence.
      - role: user
        content: "{{{ value.question }}}"
""",
)
