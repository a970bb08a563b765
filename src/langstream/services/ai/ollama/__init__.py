"""Ollama: models on machines of one's own."""

from __future__ import annotations

from typing import Final

from langstream.services.ai.contract import AIProvider, AIService
from langstream.services.ai.ollama.configuration import OllamaConfiguration


def _connect(configuration: OllamaConfiguration) -> AIService:
    from langstream.services.ai.ollama.service import OllamaService

    return OllamaService(configuration)


PROVIDER: Final = AIProvider(
    resource_type="ollama-configuration",
    configuration=OllamaConfiguration,
    connect=_connect,
    summary="Ollama: models on machines of one's own.",
    metrics_prefix="ollama",
    tools=True,
    example_resource="""\
- type: ollama-configuration
  name: ollama
  configuration:
    url: http://localhost:11434
""",
    example="""\
- type: compute-ai-embeddings
  input: questions
  configuration:
    ai-service: ollama
    model: nomic-embed-text
    text: "{{{ value.question }}}"
    embeddings-field: value.embeddings
- type: ai-chat-completions
  output: answers
  configuration:
    ai-service: ollama
    model: llama3.2
    completion-field: value.answer
    messages:
      - role: system
        content: Answer in one sentence.
      - role: user
        content: "{{{ value.question }}}"
""",
)
