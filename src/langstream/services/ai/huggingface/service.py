"""A connection to Hugging Face."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any

from langstream.errors import ServiceError
from langstream.services.ai.checks import not_found
from langstream.services.ai.contract import Chunk, CompletionOptions, Embeddings, Message, ModelUse
from langstream.services.ai.huggingface.configuration import HuggingFaceConfiguration
from langstream.services.ai.huggingface.embeddings import (
    MOST_TEXTS,
    check_model,
    embeddings_body,
    embeddings_of,
    local_model,
)
from langstream.services.ai.huggingface.endpoints import endpoints_of
from langstream.services.ai.huggingface.generation import DIALECT, GenerationReader, is_fill_mask, text_body
from langstream.services.ai.local.configuration import LocalConfiguration
from langstream.services.ai.local.engine import Engines
from langstream.services.ai.local.service import LocalService
from langstream.services.ai.openai.requests import chat_body
from langstream.services.ai.openai.stream import OpenAIReader
from langstream.services.ai.remote import RemoteService, bearer, embed_in_parts
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.transport import Transport


class HuggingFaceService(RemoteService):
    """Chat in the protocol of OpenAI, text in that of Hugging Face's text generation, embeddings by feature
    extraction or in this process."""

    def __init__(
        self, configuration: HuggingFaceConfiguration, engines: Engines, retries: RetryPolicy | None = None
    ) -> None:
        key = (configuration.access_key or "").strip()
        super().__init__(
            Transport(
                headers=bearer(key),
                secrets=(key,),
                timeouts=configuration.timeouts,
                retries=retries or configuration.retries,
                dialect=DIALECT,
            )
        )
        self._endpoints = endpoints_of(configuration)
        self._checked_at = configuration.checked_at
        self._checked: set[str] = set()
        self._local: LocalService | None = None
        self._loading = asyncio.Lock()
        if configuration.provider == "local":
            self._local = LocalService(LocalConfiguration.model_validate({"threads": configuration.threads}), engines)

    async def close(self) -> None:
        await super().close()
        if self._local is not None:
            await self._local.close()

    def chat(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        texts = [message.content for message in messages]
        if not options.tools and is_fill_mask(model, texts, options):
            return self._filled(model, texts)
        url = self._endpoints.chat
        body = {"model": model, **chat_body(messages, options), "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        return self.answer(url, body, lambda: OpenAIReader(self.source(url)), stream=stream)

    def complete(
        self, model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        if is_fill_mask(model, prompts, options):
            return self._filled(model, prompts)
        url = self._endpoints.text(model)
        body = text_body("\n".join(prompts), options, stream=stream)
        return self.answer(
            url, body, lambda: GenerationReader(self.source(url)), stream=stream, chat=False, strict=True
        )

    async def embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        if self._local is not None:
            name = local_model(model, options.get("model-url"))
            async with self._loading:
                await self._local.start()  # loaded when first needed: completions do without it
            return await self._local.embed(name, texts, {})
        await self._check(model)
        url = self._endpoints.vectors(model)

        async def part(texts: Sequence[str]) -> Embeddings:
            answer = await self._transport.post(url, embeddings_body(texts, options))
            return embeddings_of(answer, len(texts), self.source(url))

        return await embed_in_parts(texts, MOST_TEXTS, part)

    async def check(self, uses: Collection[ModelUse]) -> Mapping[ModelUse, str]:
        """Who the token belongs to, and what the hub tells about the models of embeddings. A server of one's own is
        asked for its list of models, which tells nothing about them but that there is an answer."""
        remote = [use for use in uses if use.task == "completions" or self._local is None]
        if self._local is not None and not remote:
            return {}
        if (hub := self._endpoints.hub(self._checked_at)) is None:
            await not_found(self._transport.probe(f"{self._endpoints.inference}/v1/models"))
        elif self._transport.headers:
            await self._transport.probe(f"{hub}/whoami-v2")
        found = {}
        for use in remote:
            if use.task == "embeddings":
                try:
                    await self._check(use.model)
                except ServiceError as error:
                    if error.category not in ("not-found", "refused"):
                        raise
                    found[use] = str(error)
        return found

    async def _filled(self, model: str, texts: Sequence[str]) -> AsyncGenerator[Chunk, None]:
        """What a fill-mask model makes of the texts; it neither streams nor takes options."""
        url = self._endpoints.text(model)
        yield GenerationReader(self.source(url)).whole(await self._transport.post(url, list(texts)))

    async def _check(self, model: str) -> None:
        """Find out once whether the model gives vectors of texts. Raises ServiceError where it does not."""
        if self._checked_at is None or model in self._checked:
            return
        try:
            check_model(model, await self._transport.get(f"{self._checked_at}/{model}"))
        except ServiceError as error:
            message = f"the model '{model}' cannot be used for embeddings: {error}"
            raise ServiceError(
                message, category=error.category, retry_after_seconds=error.retry_after_seconds
            ) from None
        self._checked.add(model)
