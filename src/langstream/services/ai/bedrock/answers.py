"""Reading what Converse answers, and how Bedrock words its refusals."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from langstream.errors import ServiceError
from langstream.services.ai.bedrock.eventstream import EXCEPTION
from langstream.services.ai.calls import CallPiece, arguments_text
from langstream.services.ai.contract import Chunk, Usage
from langstream.services.ai.failures import Dialect, Source
from langstream.services.ai.remote import count_of
from langstream.services.ai.schemas import ANSWER_TOOL
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


@dataclass(slots=True)
class ConverseReader:
    """Reads one answer. Bedrock gives answers no id, so each gets one here. `by_tool`: the arguments of the answer
    tool are its text."""

    source: Source
    answer_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    by_tool: bool = False
    _answering: int | None = None
    _thoughts: dict[int, dict[str, Any]] = field(default_factory=dict)

    def piece(self, event: Event) -> Piece | None:
        """What the event adds. The counts come after the reason of the end, and the stream ends with them."""
        content = event_content(event, self.source)
        match event.name:
            case "contentBlockStart":
                return self._begun(_index(content), _member(content.get("start"), "toolUse"))
            case "contentBlockDelta":
                return self._added(_index(content), content.get("delta"))
            case "contentBlockStop":
                thought = self._thoughts.pop(_index(content), None)
                thoughts = ({"reasoningContent": _whole_thought(thought)},) if thought else ()
                return Piece(self.answer_id, thoughts=thoughts)
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
        pieces = [self._begun(index, _member(block, "toolUse")) for index, block in enumerate(blocks)]
        texts = [piece.text or self._text(block) or "" for piece, block in zip(pieces, blocks, strict=True)]
        end = self._end(content.get("stopReason"))
        return whole_chunk(
            Piece(
                self.answer_id,
                "".join(texts),
                finished=end.finished,
                usage=usage_of(content.get("usage")),
                filtered=end.filtered,
                calls=tuple(call for piece in pieces for call in piece.calls),
                thoughts=tuple(block for block in blocks if _member(block, "reasoningContent")),
            ),
            self.source,
        )

    def _begun(self, index: int, call: Any) -> Piece:
        """What a call, or the beginning of a streamed one, adds."""
        if not isinstance(call, dict):
            return Piece(self.answer_id)
        given = call.get("input")
        arguments = arguments_text(given) if given else ""
        if self.by_tool and call.get("name") == ANSWER_TOOL:
            self._answering = index
            return Piece(self.answer_id, arguments)
        piece = CallPiece(index, str(call.get("toolUseId") or ""), str(call.get("name") or ""), arguments)
        return Piece(self.answer_id, calls=(piece,))

    def _added(self, index: int, delta: Any) -> Piece:
        """What a piece adds to its block."""
        if isinstance(call := _member(delta, "toolUse"), dict):
            arguments = str(call.get("input") or "")
            if index == self._answering:
                return Piece(self.answer_id, arguments)
            return Piece(self.answer_id, calls=(CallPiece(index, arguments=arguments),))
        if isinstance(thought := _member(delta, "reasoningContent"), dict):
            kept = self._thoughts.setdefault(index, {})
            for name, value in thought.items():
                if isinstance(value, str):
                    kept[name] = kept.get(name, "") + value
            return Piece(self.answer_id)
        return Piece(self.answer_id, self._text(delta))

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


def _index(content: Mapping[str, Any]) -> int:
    return count_of(content.get("contentBlockIndex"))


def _whole_thought(pieces: Mapping[str, Any]) -> dict[str, Any]:
    """A thought as requests have it, from the pieces of a stream, which are flat."""
    if "redactedContent" in pieces:
        return {"redactedContent": pieces["redactedContent"]}
    return {"reasoningText": dict(pieces)}


def _member(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else None
