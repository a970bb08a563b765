"""Ollama: models on machines of one's own."""

from __future__ import annotations

from typing import Final

from langstream.services.ai import example
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
    example_resource=example.resource(
        "ollama-configuration",
        "ollama",
        "url: http://localhost:11434\n",
    ),
    example=example.answer("ollama", chat="llama3.2", embeddings="nomic-embed-text"),
)
