"""A connection to OpenAI, Azure OpenAI or a compatible server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from langstream.services.ai.contract import AIService, Chunk, CompletionOptions, Embeddings, Message, Usage
from langstream.services.ai.openai.answers import Source, embeddings_of, whole_answer
from langstream.services.ai.openai.configuration import OpenAIConfiguration
from langstream.services.ai.openai.endpoints import endpoints_of
from langstream.services.ai.openai.requests import chat_body, text_body
from langstream.services.ai.openai.stream import Assembly, assembled
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.transport import Timeouts, Transport

MOST_TEXTS: Final = 2048
"""Texts that the service takes in one request for embeddings."""


class OpenAIService(AIService):
    """Speaks the protocol of OpenAI. `retries` replaces the policy made from the configuration."""

    def __init__(self, configuration: OpenAIConfiguration, retries: RetryPolicy | None = None) -> None:
        self._endpoints = endpoints_of(configuration)
        usage = configuration.stream_usage
        self._stream_usage = self._endpoints.openai_itself if usage is None else usage
        self._transport = Transport(
            headers=self._endpoints.headers,
            secrets=(configuration.access_key.strip(),),
            timeouts=Timeouts(
                configuration.connect_timeout_seconds,
                configuration.request_timeout_seconds,
                configuration.idle_timeout_seconds,
            ),
            retries=retries or RetryPolicy(attempts=configuration.max_attempts),
        )

    async def start(self) -> None:
        await self._transport.start()

    async def close(self) -> None:
        await self._transport.close()

    def chat(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        return self._completion("chat/completions", model, chat_body(messages, options), stream=stream)

    def complete(
        self, model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        return self._completion("completions", model, text_body(prompts, options), stream=stream)

    async def embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        if len(texts) <= MOST_TEXTS:
            return await self._embed(model, texts)
        vectors: list[Sequence[float]] = []
        tokens = 0
        for start in range(0, len(texts), MOST_TEXTS):
            part = await self._embed(model, texts[start : start + MOST_TEXTS])
            vectors.extend(part.vectors)
            tokens += part.usage.prompt_tokens if part.usage else 0
        return Embeddings(vectors, Usage(tokens))

    async def _embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        url = self._endpoints.url("embeddings", model)
        answer = await self._transport.post(url, self._body(model, {"input": list(texts)}))
        return embeddings_of(answer, len(texts), self._source(url))

    async def _completion(
        self, operation: str, model: str, body: dict[str, Any], *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        url = self._endpoints.url(operation, model)
        body = {**self._body(model, body), "stream": stream}
        if not stream:
            yield whole_answer(await self._transport.post(url, body), self._source(url))
            return
        if self._stream_usage:
            body["stream_options"] = {"include_usage": True}
        chat = operation.startswith("chat")
        async with aclosing(self._transport.retries.stream(lambda: self._streamed(url, body, chat=chat))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _streamed(self, url: str, body: Mapping[str, Any], *, chat: bool) -> AsyncGenerator[Chunk, None]:
        assembly = Assembly(self._source(url), chat)
        async with aclosing(self._transport.stream(url, body)) as pieces, aclosing(assembled(pieces, assembly)) as done:
            async for chunk in done:
                yield chunk

    def _body(self, model: str, body: dict[str, Any]) -> dict[str, Any]:
        return body if self._endpoints.azure else {"model": model, **body}

    def _source(self, url: str) -> Source:
        return Source(url, self._transport.secrets)
