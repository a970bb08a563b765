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
    example_resource="""\
- type: vertex-configuration
  name: vertex
  configuration:
    region: us-central1
    project: my-project
    serviceAccountJson: "${secrets.vertex.service-account-json}"
""",
    example="""\
- type: compute-ai-embeddings
  input: questions
  configuration:
    ai-service: vertex
    model: text-embedding-005
    text: "{{{ value.question }}}"
    embeddings-field: value.embeddings
- type: ai-chat-completions
  output: answers
  configuration:
    ai-service: vertex
    model: gemini-2.0-flash
    completion-field: value.answer
    messages:
      - role: system
        content: Answer in one sentence.
      - role: user
        content: "{{{ value.question }}}"
""",
)
