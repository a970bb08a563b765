"""Amazon Bedrock."""

from __future__ import annotations

from typing import Final

from langstream.services.ai.bedrock.configuration import BedrockConfiguration
from langstream.services.ai.contract import AIProvider, AIService


def _connect(configuration: BedrockConfiguration) -> AIService:
    from langstream.services.ai.bedrock.service import BedrockService

    return BedrockService(configuration)


PROVIDER: Final = AIProvider(
    resource_type="bedrock-configuration",
    configuration=BedrockConfiguration,
    connect=_connect,
    summary="Amazon Bedrock: models by Converse, or by InvokeModel in their own layout; Titan and Cohere embeddings.",
    metrics_prefix="bedrock",
    tools=True,
)
