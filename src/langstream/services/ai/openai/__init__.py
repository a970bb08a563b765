"""OpenAI, Azure OpenAI and every server that speaks their protocol."""

from __future__ import annotations

from typing import Final

from langstream.services.ai import example
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
    example_resource=example.resource(
        "open-ai-configuration",
        "openai",
        'access-key: "${secrets.open-ai.access-key}"\n',
    ),
    example=example.answer("openai", chat="gpt-4o-mini", embeddings="text-embedding-3-small"),
)
