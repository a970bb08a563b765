"""Amazon Bedrock."""

from __future__ import annotations

from typing import Final

from langstream.services.ai import example
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
    example_resource=example.resource(
        "bedrock-configuration",
        "bedrock",
        """\
region: us-east-1
access-key: "${secrets.bedrock.access-key}"
secret-key: "${secrets.bedrock.secret-key}"
""",
    ),
    example=example.answer(
        "bedrock", chat="anthropic.claude-3-5-sonnet-20240620-v1:0", embeddings="amazon.titan-embed-text-v2:0"
    ),
)
