"""A server that speaks Anthropic's Messages API."""

from __future__ import annotations

from typing import Any, Final

import orjson

from langstream.services.ai.anthropic.configuration import AnthropicConfiguration
from langstream.services.ai.anthropic.service import AnthropicService
from langstream.services.ai.retries import RetryPolicy
from tests.services.ai.fake_server import FakeServer, Reply

KEY: Final = "sk-ant-very-secret"

KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def event(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return f"event: {content['type']}\ndata: {orjson.dumps(content).decode()}\n\n".encode()


def start(**usage: int) -> dict[str, Any]:
    counts = {"input_tokens": 7, "output_tokens": 1, **usage}
    return {"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [], "usage": counts}}


def delta(text: str, index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def end(reason: str = "end_turn", **usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 3, **usage}}


BLOCK: Final = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
PING: Final = {"type": "ping"}
BLOCK_END: Final = {"type": "content_block_stop", "index": 0}
STOP: Final = {"type": "message_stop"}


class AnthropicServer(FakeServer):
    name = "anthropic"
    secrets = (KEY,)

    def says(self, *events: Any, **options: Any) -> None:
        """Answer with these events."""
        pieces = [event(content) for content in events]
        self.replies.append(Reply(pieces=pieces, content_type="text/event-stream", **options))

    def chat(self, *texts: str, finish: Any = "end_turn", **options: Any) -> None:
        ending = [] if finish is None else [BLOCK_END, end(finish), STOP]
        self.says(start(), BLOCK, PING, *(delta(text) for text in texts), *ending, **options)

    def whole(self, text: str) -> None:
        usage = {"input_tokens": 7, "output_tokens": 3}
        content = [{"type": "text", "text": text}]
        self.answers({"id": "msg_1", "content": content, "stop_reason": "end_turn", "usage": usage})

    def refuse(self, status: int, words: str, **options: Any) -> None:
        error = {"type": KINDS.get(status, "api_error"), "message": words}
        self.answers({"type": "error", "error": error}, status=status, **options)

    def service(self, retries: RetryPolicy | None = None, **options: Any) -> AnthropicService:
        configuration = {"url": self.url, "access-key": KEY, **options}
        return AnthropicService(AnthropicConfiguration.model_validate(configuration), retries)
