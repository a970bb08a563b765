"""Reading what Converse answers, and how Bedrock words its refusals."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from langstream.errors import ServiceError
from langstream.services.ai.bedrock.eventstream import EXCEPTION
from langstream.services.ai.contract import Chunk, Usage
from langstream.services.ai.failures import Dialect, Source
from langstream.services.ai.remote import count_of
from langstream.services.ai.sse import Event
from langstream.services.ai.stream import Piece, whole_chunk

_FILTERED: Final = frozenset(("content_filtered", "guardrail_intervened"))

_CATEGORIES: Final = {
    "authentication": (
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    ),
    "not-found": ("ResourceNotFoundException",),
    "rate-limited": ("ServiceQuotaExceededException", "ThrottlingException", "TooManyRequestsException"),
    "refused": ("ConflictException", "ValidationException"),
    "transient": (
        "InternalServerException",
        "ModelErrorException",
        "ModelNotReadyException",
        "ModelStreamErrorException",
        "ModelTimeoutException",
        "ServiceUnavailableException",
    ),
}

DIALECT: Final = Dialect(
    categories={code: category for category, codes in _CATEGORIES.items() for code in codes},
    too_long=("input is too long", "too many input tokens", "prompt is too long", "maximum number of input tokens"),
    advice={
        401: "Check the credentials of the resource.",
        403: "Check the credentials of the resource, their rights (bedrock:InvokeModel), and access to the model.",
        404: "Check `model` of the agent and `region` of the resource.",
    },
)


@dataclass(frozen=True, slots=True)
class ConverseReader:
    """Reads one answer. Bedrock gives answers no id, so each gets one here."""

    source: Source
    answer_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def piece(self, event: Event) -> Piece | None:
        """What the event adds. The counts come after the reason of the end, and the stream ends with them."""
        content = event_content(event, self.source)
        match event.name:
            case "contentBlockDelta":
                return Piece(self.answer_id, self._text(content.get("delta")))
            case "messageStop":
                return self._end(content.get("stopReason"))
            case "metadata":
                return Piece(self.answer_id, usage=usage_of(content.get("usage")))
        return Piece(self.answer_id)

    def whole(self, content: Any) -> Chunk:
        """The only chunk of an answer that was not streamed."""
        message = _member(_member(content, "output"), "message")
        blocks = _member(message, "content")
        if not isinstance(blocks, list):
            raise self.source.malformed("it has no message with `content`")
        text = "".join(self._text(block) or "" for block in blocks)
        end = self._end(content.get("stopReason"))
        piece = Piece(self.answer_id, text, usage=usage_of(content.get("usage")), filtered=end.filtered)
        return whole_chunk(piece, self.source)

    def _end(self, reason: Any) -> Piece:
        finished = reason if isinstance(reason, str) else "unknown"
        return Piece(self.answer_id, finished=finished, filtered=finished in _FILTERED)

    def _text(self, block: Any) -> str | None:
        """The text of a block or of a piece of one; thoughts and calls of tools have none."""
        text = _member(block, "text")
        if text is not None and not isinstance(text, str):
            raise self.source.malformed("`text` is not text")
        return text


def event_content(event: Event, source: Source) -> Mapping[str, Any]:
    """The object in an event. Raises ServiceError, also where the event is an exception."""
    try:
        content = orjson.loads(event.data)
    except ValueError:
        content = None
    if event.name.startswith(EXCEPTION):
        raise exception_of(event.name.removeprefix(EXCEPTION), content if isinstance(content, dict) else {}, source)
    if not isinstance(content, dict):
        raise source.malformed("an event of the stream is not a JSON object")
    return content


def exception_of(kind: str, content: Mapping[str, Any], source: Source) -> ServiceError:
    """The error for an exception in a stream; there its name begins with a small letter."""
    code = kind[:1].upper() + kind[1:]
    message = content.get("message") or content.get("originalMessage") or ""
    return source.reported({"message": f"{code}: {message}" if message else code, "code": code})


def usage_of(usage: Any) -> Usage | None:
    """The token counts. What the service keeps in its cache is part of the prompt."""
    if not isinstance(usage, dict):
        return None
    prompt = sum(count_of(usage.get(name)) for name in ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"))
    return Usage(prompt, count_of(usage.get("outputTokens")))


def _member(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else None
