"""Hugging Face: its inference service, dedicated endpoints, and one encoder in this process."""

from __future__ import annotations

from typing import Final

from langstream.services.ai import example
from langstream.services.ai.contract import AIProvider, AIService
from langstream.services.ai.huggingface.configuration import HuggingFaceConfiguration
from langstream.services.ai.local.engine import Engines


def _provider() -> AIProvider:
    engines = Engines()  # owned by the provider: one model in memory, however many agents use it

    def connect(configuration: HuggingFaceConfiguration) -> AIService:
        from langstream.services.ai.huggingface.service import HuggingFaceService

        return HuggingFaceService(configuration, engines)

    return AIProvider(
        resource_type="hugging-face-configuration",
        configuration=HuggingFaceConfiguration,
        connect=connect,
        summary="Hugging Face: its inference service or endpoints of one's own; embeddings also in this process.",
        metrics_prefix="hugging_face",
        tools=True,
        example_resource=example.resource(
            "hugging-face-configuration",
            "hugging-face",
            'access-key: "${secrets.hugging-face.access-key}"\n',
        ),
        example=example.answer(
            "hugging-face", chat="meta-llama/Llama-3.1-8B-Instruct", embeddings="sentence-transformers/all-MiniLM-L6-v2"
        ),
    )


PROVIDER: Final = _provider()
