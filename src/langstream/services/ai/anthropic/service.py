"""A connection to Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from langstream.errors import ServiceError
from langstream.services.ai.anthropic.answers import DIALECT, AnthropicReader
from langstream.services.ai.anthropic.configuration import AnthropicConfiguration
from langstream.services.ai.anthropic.requests import messages_body
from langstream.services.ai.checks import missing_each
from langstream.services.ai.contract import Chunk, CompletionOptions, Embeddings, Message, ModelUse
from langstream.services.ai.conversation import conversation_of
from langstream.services.ai.remote import RemoteService
from langstream.services.ai.retries import RetryPolicy
from langstream.services.ai.schemas import by_answer_tool
from langstream.services.ai.transport import Transport


class AnthropicService(RemoteService):
    """Chat, and text as a chat of one message. There are no embeddings."""

    strict = True

    def __init__(self, configuration: AnthropicConfiguration, retries: RetryPolicy | None = None) -> None:
        key = configuration.access_key.strip()
        headers = {"x-api-key": key, "anthropic-version": configuration.api_version}
        if configuration.beta:
            headers["anthropic-beta"] = ",".join(configuration.beta)
        super().__init__(
            Transport(
                headers=headers,
                secrets=(key,),
                timeouts=configuration.timeouts,
                retries=retries or configuration.retries,
                dialect=DIALECT,
            )
        )
        self._base = configuration.url
        self._url = f"{configuration.url}/v1/messages"
        self._max_tokens = configuration.max_tokens

    def chat(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        return self._message(model, messages, options, stream=stream)

    def complete(
        self, model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        return self._message(model, [Message("\n".join(prompts), "user")], options, stream=stream, chat=False)

    async def embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        raise ServiceError("Anthropic has no embeddings: use another AI resource for them", category="refused")

    async def check(self, uses: Collection[ModelUse]) -> Mapping[ModelUse, str]:
        """What the service tells about each model, by name or alias; without models, the shortest list of them."""
        if not uses:
            await self._transport.probe(f"{self._base}/v1/models?limit=1")
        return await missing_each(
            uses, lambda use: self._transport.probe(f"{self._base}/v1/models/{quote(use.model, safe='')}")
        )

    def _message(
        self,
        model: str,
        messages: Sequence[Message],
        options: CompletionOptions,
        *,
        stream: bool,
        chat: bool = True,
    ) -> AsyncGenerator[Chunk, None]:
        thinks = _member(options.extra.get("thinking"), "type") not in (None, "disabled")
        messages, options, by_tool = by_answer_tool(messages, options, forcible=not thinks)
        body = messages_body(model, conversation_of(messages), options, self._max_tokens, stream=stream)
        source = self.source(self._url)
        return self.answer(self._url, body, lambda: AnthropicReader(source, by_tool=by_tool), stream=stream, chat=chat)


def _member(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else None
