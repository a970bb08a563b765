"""AI for development, without a key and without a network: a sentence encoder and an extractive answerer."""

from __future__ import annotations

from typing import Final

from langstream.services.ai import example
from langstream.services.ai.contract import AIProvider, AIService
from langstream.services.ai.local.configuration import LocalConfiguration
from langstream.services.ai.local.models import COMPLETION_MODELS, EMBEDDINGS_MODELS


def _provider() -> AIProvider:
    from langstream.services.ai.local.engine import Engines

    engines = Engines()  # owned by the provider: one model in memory, however many agents use it

    def connect(configuration: LocalConfiguration) -> AIService:
        from langstream.services.ai.local.service import LocalService

        return LocalService(configuration, engines)

    return AIProvider(
        resource_type="local-ai-configuration",
        configuration=LocalConfiguration,
        connect=connect,
        summary="Local: real sentence embeddings, and answers that are quotes of the prompt's documents. "
        "No language model.",
        metrics_prefix="local_ai",
        embeddings_model=EMBEDDINGS_MODELS[0],
        completion_models=COMPLETION_MODELS,
        embeddings_models=EMBEDDINGS_MODELS,
        example_resource=example.resource(
            "local-ai-configuration",
            "local-ai",
            "quotes: 3\n",
        ),
        example=example.answer(
            "local-ai",
            chat="extractive-quotes",
            embeddings="all-MiniLM-L6-v2",
            system='"The documents: {{{ value.documents }}}"',
        ),
    )


PROVIDER: Final = _provider()
