"""Google: Gemini and embeddings, through Vertex AI or the Gemini API."""

from __future__ import annotations

from typing import Final

from langstream.services.ai.contract import AIProvider, AIService
from langstream.services.ai.vertex.configuration import VertexConfiguration


def _connect(configuration: VertexConfiguration) -> AIService:
    from langstream.services.ai.vertex.service import VertexService

    return VertexService(configuration)


PROVIDER: Final = AIProvider(
    resource_type="vertex-configuration",
    configuration=VertexConfiguration,
    connect=_connect,
    summary="Google: Gemini and embeddings, through Vertex AI (token or service account) or the Gemini API (key).",
    metrics_prefix="vertex",
    tools=True,
)
