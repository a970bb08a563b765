"""Google: Gemini and embeddings, through Vertex AI or the Gemini API."""

from __future__ import annotations

from typing import Final

from langstream.services.ai import example
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
    example_resource=example.resource(
        "vertex-configuration",
        "vertex",
        """\
region: us-central1
project: my-project
serviceAccountJson: "${secrets.vertex.service-account-json}"
""",
    ),
    example=example.answer("vertex", chat="gemini-2.0-flash", embeddings="text-embedding-005"),
)
