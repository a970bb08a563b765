"""A connection to Google's models."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any, Final

from langstream.errors import ServiceError
from langstream.services.ai.checks import missing_each, refused_properly
from langstream.services.ai.contract import Chunk, CompletionOptions, Embeddings, Message, ModelUse
from langstream.services.ai.conversation import present
from langstream.services.ai.remote import RemoteService, bearer, embed_in_parts, vectors_of
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.schemas import instructed, instructed_prompts
from langstream.services.ai.transport import Transport
from langstream.services.ai.vertex import predict
from langstream.services.ai.vertex.account import AccountTokens, account_of
from langstream.services.ai.vertex.answers import DIALECT, GeminiReader
from langstream.services.ai.vertex.configuration import VertexConfiguration
from langstream.services.ai.vertex.endpoints import endpoints_of
from langstream.services.ai.vertex.requests import gemini_body

MOST_TEXTS: Final = 250
"""Texts that Vertex AI takes in one request for embeddings; of Gemini's embedding models it takes one."""

MOST_TEXTS_OF_GEMINI: Final = 100


class VertexService(RemoteService):
    """Chat and text by `generateContent`, earlier models by `predict`; vectors by `predict`, or
    `batchEmbedContents` of the Gemini API."""

    strict = True

    def __init__(self, configuration: VertexConfiguration, retries: RetryPolicy | None = None) -> None:
        policy = retries or configuration.retries
        self._tokens: AccountTokens | None = None
        if configuration.service_account_json is not None:
            account = account_of(configuration.service_account_json)
            self._tokens = AccountTokens(account, configuration.timeouts, policy)
        super().__init__(
            Transport(
                headers=_headers(configuration),
                secrets=(configuration.token or configuration.api_key or "",),
                timeouts=configuration.timeouts,
                retries=policy,
                dialect=DIALECT,
                authorize=self._authorize if self._tokens is not None else None,
                renew=self._tokens.forget if self._tokens is not None else None,
            )
        )
        self._endpoints = endpoints_of(configuration)

    async def start(self) -> None:
        """Open connections; with a service account, fetch the first token."""
        await super().start()
        if self._tokens is not None:
            await self._tokens.start()

    async def close(self) -> None:
        await super().close()
        if self._tokens is not None:
            await self._tokens.close()

    def chat(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        if predict.before_gemini(model):
            if options.tools:
                raise ServiceError(f"the model '{model}' cannot call tools: use a Gemini model", category="refused")
            return self._predicted(model, predict.chat_body(instructed(messages, options), options))
        return self._generated(model, messages, options, stream=stream)

    def complete(
        self, model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        if len(prompts) != 1:
            message = f"Google's models take exactly one prompt, not {len(prompts)}"
            raise ServiceError(message, category="refused")
        if predict.before_gemini(model):
            return self._predicted(model, predict.text_body(instructed_prompts(prompts, options)[0], options))
        return self._generated(model, [Message(prompts[0], "user")], options, stream=stream, chat=False)

    async def embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        chosen = options.get("options") or {}
        if not self._endpoints.vertex:
            return await embed_in_parts(texts, MOST_TEXTS_OF_GEMINI, lambda part: self._embed(model, part, chosen))
        size = 1 if "gemini-embedding" in model else MOST_TEXTS
        return await embed_in_parts(texts, size, lambda part: self._embed_predicted(model, part, chosen))

    async def check(self, uses: Collection[ModelUse]) -> Mapping[ModelUse, str]:
        """What the Gemini API tells about each model; Vertex AI is asked to count the tokens of nothing."""
        if not uses:
            await self._transport.probe(self._endpoints.place)
        if self._endpoints.vertex:
            count = "countTokens"
            return await missing_each(
                uses, lambda use: self._transport.probe(self._endpoints.url(use.model, count), {}), refused_properly
            )
        try:
            return await missing_each(uses, lambda use: self._transport.probe(self._endpoints.about(use.model)))
        except ServiceError as error:
            if error.category == "refused":  # nothing but the key can be wrong with these requests
                raise ServiceError(str(error), category="authentication") from None
            raise

    def _generated(
        self,
        model: str,
        messages: Sequence[Message],
        options: CompletionOptions,
        *,
        stream: bool,
        chat: bool = True,
    ) -> AsyncGenerator[Chunk, None]:
        url = self._endpoints.url(model, "streamGenerateContent?alt=sse" if stream else "generateContent")
        body = gemini_body(model, messages, options)
        return self.answer(url, body, lambda: GeminiReader(self.source(url)), stream=stream, chat=chat)

    async def _predicted(self, model: str, body: Mapping[str, Any]) -> AsyncGenerator[Chunk, None]:
        url = self._endpoints.url(model, "predict")
        yield predict.answer_of(await self._transport.post(url, body), self.source(url))

    async def _embed_predicted(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        url = self._endpoints.url(model, "predict")
        answer = await self._transport.post(url, predict.embeddings_body(texts, options))
        return predict.embeddings_of(answer, len(texts), self.source(url))

    async def _embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        url = self._endpoints.url(model, "batchEmbedContents")
        about = present({name: predict.option(options, name) for name in ("taskType", "title", "outputDimensionality")})
        name = model if "/" in model else f"models/{model}"
        requests = [{"model": name, "content": {"parts": [{"text": text}]}, **about} for text in texts]
        answer = await self._transport.post(url, {"requests": requests})
        found = answer.get("embeddings") if isinstance(answer, dict) else None
        vectors = [item.get("values") if isinstance(item, dict) else None for item in found or ()]
        return Embeddings(vectors_of(vectors, len(texts), self.source(url)))

    async def _authorize(self, url: str, payload: bytes) -> Mapping[str, str]:
        assert self._tokens is not None
        return bearer(await self._tokens.current())


def _headers(configuration: VertexConfiguration) -> dict[str, str]:
    """The header with the credential that does not change; never part of the address, which others may log."""
    if configuration.api_key is not None:
        return {"x-goog-api-key": configuration.api_key}
    return bearer(configuration.token)
