"""The local AI service: embeddings by a real sentence encoder, answers by quotation."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from langstream.errors import ServiceError
from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, Embeddings, Message, Usage
from langstream.services.ai.local.answerer import ExtractiveAnswerer, tokens
from langstream.services.ai.local.configuration import LocalConfiguration
from langstream.services.ai.local.engine import Engine, Engines
from langstream.services.ai.local.models import COMPLETION_MODELS, EMBEDDINGS_MODELS


class LocalService(AIService):
    """Works in this process. Options of completions (temperature and the like) mean nothing to it."""

    def __init__(self, configuration: LocalConfiguration, engines: Engines) -> None:
        self._configuration = configuration
        self._engines = engines
        self._key = configuration.threads, configuration.cache_directory
        self._engine: Engine | None = None

    async def start(self) -> None:
        if self._engine is None:
            self._engine = self._engines.take(self._key)
        await self._engine.load()

    async def close(self) -> None:
        if self._engine is not None:
            self._engine = None
            self._engines.give_back(self._key)

    async def chat(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        _refuse_unknown(model, COMPLETION_MODELS)
        settings = self._configuration
        answerer = ExtractiveAnswerer(self._ready(), settings.quotes, settings.minimum_similarity)
        answer = await answerer.answer(messages)
        answer_id = f"local-{uuid.uuid4()}"
        pieces = tokens(answer) if stream else [answer]
        for piece in pieces[:-1]:
            yield Chunk(piece, answer_id)
            await asyncio.sleep(0)  # a long answer must not hold up the loop
        yield Chunk(pieces[-1], answer_id, last=True)

    def complete(
        self, model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        # Text models are not what this is; the prompts are read as one message of the user.
        return self.chat(model, [Message("\n\n".join(prompts), "user")], options, stream=stream)

    async def embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        _refuse_unknown(model, EMBEDDINGS_MODELS)
        vectors, tokens_read = await self._ready().encode(texts)
        return Embeddings(vectors.tolist(), Usage(tokens_read))

    def _ready(self) -> Engine:
        if self._engine is None:
            raise ServiceError("the local AI service is not started", category="refused")
        return self._engine


def _refuse_unknown(model: str, known: Sequence[str]) -> None:
    if model not in known:
        raise ServiceError(
            f"the local AI service has no model '{model}' for this, only {', '.join(known)}", category="not-found"
        )
