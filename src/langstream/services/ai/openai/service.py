"""A connection to OpenAI, Azure OpenAI or a compatible server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any, Final

from langstream.errors import ServiceError
from langstream.services.ai.checks import missing_each, missing_of, names_of, refused_properly
from langstream.services.ai.contract import Chunk, CompletionOptions, Embeddings, Message, ModelUse
from langstream.services.ai.openai.answers import embeddings_of
from langstream.services.ai.openai.configuration import OpenAIConfiguration
from langstream.services.ai.openai.endpoints import endpoints_of
from langstream.services.ai.openai.requests import chat_body, text_body
from langstream.services.ai.openai.stream import OpenAIReader
from langstream.services.ai.remote import RemoteService, embed_in_parts
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.transport import Transport

MOST_TEXTS: Final = 2048
"""Texts that the service takes in one request for embeddings."""


class OpenAIService(RemoteService):
    """Speaks the protocol of OpenAI. `retries` replaces the policy made from the configuration."""

    def __init__(self, configuration: OpenAIConfiguration, retries: RetryPolicy | None = None) -> None:
        self._endpoints = endpoints_of(configuration)
        usage = configuration.stream_usage
        self._stream_usage = self._endpoints.openai_itself if usage is None else usage
        schemas = configuration.json_schemas
        self._schemas = self._endpoints.knows_schemas if schemas is None else schemas
        super().__init__(
            Transport(
                headers=self._endpoints.headers,
                secrets=(configuration.access_key.strip(),),
                timeouts=configuration.timeouts,
                retries=retries or configuration.retries,
            )
        )

    def chat(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        body = chat_body(messages, options, schemas=self._schemas)
        return self._completion("chat/completions", model, body, stream=stream)

    def complete(
        self, model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        return self._completion("completions", model, text_body(prompts, options), stream=stream)

    async def embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        return await embed_in_parts(texts, MOST_TEXTS, lambda part: self._embed(model, part))

    async def check(self, uses: Collection[ModelUse]) -> Mapping[ModelUse, str]:
        """The list of models; of Azure, which lists none, every deployment is asked. Servers without a list too."""
        if not self._endpoints.azure:
            try:
                listed = await self._transport.probe(f"{self._endpoints.base}/models")
            except ServiceError as error:
                if self._endpoints.openai_itself or error.category not in ("not-found", "malformed"):
                    raise
            else:
                known = names_of(listed, "data", "id")
                return missing_of([use for use in uses if f"{use.model}:latest" not in known], known)
        operations = {"completions": "chat/completions", "embeddings": "embeddings"}
        found = await missing_each(
            uses,
            lambda use: self._transport.probe(self._endpoints.url(operations[use.task], use.model), {}),
            refused_properly,
        )
        if not uses:
            await refused_properly(self._transport.probe(self._endpoints.url("chat/completions", "none"), {}))
        return found

    async def _embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        url = self._endpoints.url("embeddings", model)
        answer = await self._transport.post(url, self._body(model, {"input": list(texts)}))
        return embeddings_of(answer, len(texts), self.source(url))

    def _completion(
        self, operation: str, model: str, body: dict[str, Any], *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        url = self._endpoints.url(operation, model)
        body = {**self._body(model, body), "stream": stream}
        if stream and self._stream_usage:
            body["stream_options"] = {"include_usage": True}
        chat = operation.startswith("chat")
        return self.answer(
            url, body, lambda: OpenAIReader(self.source(url)), stream=stream, chat=chat, empties=not chat
        )

    def _body(self, model: str, body: dict[str, Any]) -> dict[str, Any]:
        return body if self._endpoints.azure else {"model": model, **body}
