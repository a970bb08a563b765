"""A connection to an Ollama server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any

from langstream.errors import ServiceError
from langstream.services.ai.checks import missing_of, names_of
from langstream.services.ai.contract import Chunk, CompletionOptions, Embeddings, Message, ModelUse
from langstream.services.ai.framing import NDJSON
from langstream.services.ai.ollama.answers import DIALECT, OllamaReader, usage_of
from langstream.services.ai.ollama.configuration import OllamaConfiguration
from langstream.services.ai.ollama.requests import chat_body, parameters, text_body
from langstream.services.ai.remote import RemoteService, bearer, embed_in_parts, vectors_of
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.transport import Transport


class OllamaService(RemoteService):
    """Chat by `/api/chat`, text by `/api/generate`, vectors by `/api/embed`, or `/api/embeddings` of older servers."""

    framing = NDJSON

    def __init__(self, configuration: OllamaConfiguration, retries: RetryPolicy | None = None) -> None:
        super().__init__(
            Transport(
                headers=bearer(configuration.access_key),
                secrets=(configuration.access_key or "",),
                timeouts=configuration.timeouts,
                retries=retries or configuration.retries,
                dialect=DIALECT,
            )
        )
        self._url = configuration.url
        self._one_by_one = False

    def chat(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        return self._completion("/api/chat", chat_body(model, messages, options, stream=stream), stream=stream)

    def complete(
        self, model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        body = text_body(model, prompts, options, stream=stream)
        return self._completion("/api/generate", body, stream=stream, chat=False)

    async def embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        more = parameters(options.get("options") or {}, {})
        if self._one_by_one:
            return await self._embed_each(model, texts, more)
        try:
            return await self._embed(model, texts, more)
        except ServiceError as error:
            if error.category != "not-found":
                raise
            missing = error  # either the model, or the address: servers before 0.3 have only the older one
        try:
            found = await self._embed_each(model, texts, more)
        except ServiceError as error:
            raise (missing if error.category == "not-found" else error) from None
        self._one_by_one = True
        return found

    async def check(self, uses: Collection[ModelUse]) -> Mapping[ModelUse, str]:
        """The list of the models that were pulled; a name without a tag means `latest`."""
        known = names_of(await self._transport.probe(f"{self._url}/api/tags"), "models", "name", "model")
        absent = [use for use in uses if f"{use.model}:latest" not in known]
        return missing_of(absent, known, "Fetch it with `ollama pull`.")

    def _completion(
        self, path: str, body: Mapping[str, Any], *, stream: bool, chat: bool = True
    ) -> AsyncGenerator[Chunk, None]:
        url = self._url + path
        return self.answer(url, body, lambda: OllamaReader(self.source(url)), stream=stream, chat=chat)

    async def _embed(self, model: str, texts: Sequence[str], more: Mapping[str, Any]) -> Embeddings:
        url = f"{self._url}/api/embed"
        answer = await self._embeddings(url, {"model": model, "input": list(texts), **more})
        return Embeddings(vectors_of(answer.get("embeddings"), len(texts), self.source(url)), usage_of(answer))

    async def _embed_each(self, model: str, texts: Sequence[str], more: Mapping[str, Any]) -> Embeddings:
        url = f"{self._url}/api/embeddings"

        async def one(part: Sequence[str]) -> Embeddings:
            answer = await self._embeddings(url, {"model": model, "prompt": part[0], **more})
            return Embeddings(vectors_of([answer.get("embedding")], 1, self.source(url)))

        return await embed_in_parts(texts, 1, one)

    async def _embeddings(self, url: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = await self._transport.post(url, body)
        if not isinstance(answer, dict):
            raise self.source(url).malformed("it is not an object")
        if answer.get("error"):
            raise self.source(url).reported(answer["error"])
        return answer
