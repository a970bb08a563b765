"""A connection to Amazon Bedrock."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from langstream.errors import ServiceError
from langstream.services.ai.bedrock.answers import DIALECT, ConverseReader
from langstream.services.ai.bedrock.configuration import BedrockConfiguration
from langstream.services.ai.bedrock.embeddings import embeddings_body, embeddings_of, texts_per_request
from langstream.services.ai.bedrock.eventstream import EVENT_STREAM
from langstream.services.ai.bedrock.invocation import Invocation, InvocationReader, invocation_of
from langstream.services.ai.bedrock.requests import can_force_tools, converse_body
from langstream.services.ai.bedrock.signing import Credentials, Signer
from langstream.services.ai.contract import Chunk, CompletionOptions, Embeddings, Message, ModelUse
from langstream.services.ai.conversation import conversation_of
from langstream.services.ai.remote import RemoteService, bearer, embed_in_parts
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.schemas import by_answer_tool, instructed
from langstream.services.ai.transport import Transport


class BedrockService(RemoteService):
    """Chat and text by Converse, or by InvokeModel where the agent's `options` describe the model's own layout."""

    framing = EVENT_STREAM
    strict = True

    def __init__(self, configuration: BedrockConfiguration, retries: RetryPolicy | None = None) -> None:
        self._signer = _signer(configuration)
        secrets = (
            configuration.secret_key,
            configuration.session_token,
            configuration.api_key,
            configuration.access_key,
        )
        super().__init__(
            Transport(
                headers=bearer(configuration.api_key),
                secrets=tuple(secret for secret in secrets if secret),
                timeouts=configuration.timeouts,
                retries=retries or configuration.retries,
                dialect=DIALECT,
                authorize=self._authorize if self._signer is not None else None,
                exact_urls=True,
            )
        )
        self._base = configuration.base

    def chat(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        return self._completion(model, messages, options, stream=stream, chat=True)

    def complete(
        self, model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        return self._completion(model, [Message(_only(prompts), "user")], options, stream=stream, chat=False)

    async def embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        url = self._url(model, "invoke")
        chosen = options.get("options") or {}

        async def part(texts: Sequence[str]) -> Embeddings:
            answer = await self._transport.post(url, embeddings_body(model, texts, chosen))
            return embeddings_of(model, answer, len(texts), self.source(url))

        return await embed_in_parts(texts, texts_per_request(model), part)

    async def check(self, uses: Collection[ModelUse]) -> Mapping[ModelUse, str]:
        """Each model is sent an empty request, which is refused for its content only if credentials, rights and model
        are good. What the service says of an unknown model is a matter of its validation too."""
        found = {}
        for use in uses or (ModelUse("amazon.titan-text-express-v1", "completions"),):
            operation = "converse" if use.task == "completions" else "invoke"
            try:
                await self._transport.probe(self._url(use.model, operation), {})
            except ServiceError as error:
                unknown = error.category == "refused" and "model identifier" in str(error).lower()
                if error.category == "not-found" or unknown:
                    found[use] = str(error)
                elif error.category not in ("refused", "malformed", "too-long"):
                    raise
        return {use: words for use, words in found.items() if use in uses}

    def _completion(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool, chat: bool
    ) -> AsyncGenerator[Chunk, None]:
        invocation = invocation_of(options.extra)
        if invocation is not None:
            if options.tools:
                message = "tools need Converse: leave `request-parameters` and the like out of the agent's `options`"
                raise ServiceError(message, category="refused")
            prompts = [message.content for message in instructed(messages, options)]
            return self._invoked(model, invocation, prompts, stream=stream, chat=chat)
        url = self._url(model, "converse-stream" if stream else "converse")
        forcible = can_force_tools(model) and "thinking" not in options.extra
        messages, options, by_tool = by_answer_tool(messages, options, forcible=forcible)
        body = converse_body(conversation_of(messages), options)
        source = self.source(url)
        return self.answer(url, body, lambda: ConverseReader(source, by_tool=by_tool), stream=stream, chat=chat)

    def _invoked(
        self, model: str, invocation: Invocation, prompts: Sequence[str], *, stream: bool, chat: bool
    ) -> AsyncGenerator[Chunk, None]:
        body = invocation.body(_only(prompts))
        stream = stream and invocation.streamed is not None
        url = self._url(model, "invoke-with-response-stream" if stream else "invoke")
        return self.answer(url, body, lambda: InvocationReader(self.source(url), invocation), stream=stream, chat=chat)

    def _url(self, model: str, operation: str) -> str:
        return f"{self._base}/model/{quote(model, safe='')}/{operation}"

    async def _authorize(self, url: str, payload: bytes) -> Mapping[str, str]:
        assert self._signer is not None
        return self._signer.headers("POST", url, {"Content-Type": "application/json"}, payload, datetime.now(UTC))


def _signer(configuration: BedrockConfiguration) -> Signer | None:
    if configuration.access_key is None or configuration.secret_key is None:
        return None
    credentials = Credentials(configuration.access_key, configuration.secret_key, configuration.session_token)
    return Signer(credentials, configuration.region, "bedrock")


def _only(prompts: Sequence[str]) -> str:
    if len(prompts) != 1:
        message = f"the models of Bedrock take exactly one prompt here, not {len(prompts)}"
        raise ServiceError(message, category="refused")
    return prompts[0]
