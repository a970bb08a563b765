"""Reading what Gemini answers: the same objects streamed and whole, each with the text that it adds."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from langstream.errors import ServiceError
from langstream.services.ai.calls import CallPiece, arguments_text
from langstream.services.ai.contract import Chunk, Usage
from langstream.services.ai.failures import Dialect, Source, place
from langstream.services.ai.remote import count_of
from langstream.services.ai.sse import Event
from langstream.services.ai.stream import Piece, whole_chunk

_FILTERED: Final = frozenset(
    ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY")
)
_MALFORMED: Final = frozenset(("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"))
_DELAY: Final = re.compile(r"(\d+(?:\.\d+)?)s")


def asked_delay(body: Any) -> float | None:
    """The `retryDelay` among the details of a refusal."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and (found := _DELAY.fullmatch(delay)):
            return float(found.group(1))
    return None


DIALECT: Final = Dialect(
    categories={
        "ABORTED": "transient",
        "DEADLINE_EXCEEDED": "transient",
        "FAILED_PRECONDITION": "refused",
        "INTERNAL": "transient",
        "INVALID_ARGUMENT": "refused",
        "NOT_FOUND": "not-found",
        "PERMISSION_DENIED": "authentication",
        "RESOURCE_EXHAUSTED": "rate-limited",
        "UNAUTHENTICATED": "authentication",
        "UNAVAILABLE": "transient",
    },
    too_long=("input token count", "exceeds the maximum number of tokens"),
    advice={
        401: "Check `token`, `serviceAccountJson` or `api-key` of the resource.",
        403: "Check that the account or key may use this model, and `project` of the resource.",
        404: "Check `model` of the agent, and `region`, `project` and `url` of the resource.",
    },
    wait=asked_delay,
)


@dataclass(slots=True)
class GeminiReader:
    """Reads one answer. Where Google gives it no id, it gets one here. Every call comes whole, in a part of its own."""

    source: Source
    answer_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    _calls: int = 0

    def piece(self, event: Event) -> Piece | None:
        """What the event adds. There is no end marker but the reason."""
        try:
            content = orjson.loads(event.data)
        except ValueError:
            raise self.source.malformed("an event of the stream is not JSON") from None
        return self._piece(content)

    def whole(self, content: Any) -> Chunk:
        """The only chunk of an answer that was not streamed."""
        piece = self._piece(content)
        if not content.get("candidates"):
            raise self.source.malformed("it has no candidate")
        return whole_chunk(piece, self.source)

    def _piece(self, content: Any) -> Piece:
        if not isinstance(content, dict):
            raise self.source.malformed("it is not an object")
        if content.get("error"):
            raise self.source.reported(content["error"])
        self._refuse_blocked(content.get("promptFeedback"))
        candidate = _first(content.get("candidates"))
        finished = candidate.get("finishReason")
        finished = finished if isinstance(finished, str) and finished != "FINISH_REASON_UNSPECIFIED" else None
        if finished in _MALFORMED:
            raise self.source.malformed(f"the model made a call of a tool that cannot be understood ({finished})")
        tokens, logprobs = _logprobs(candidate.get("logprobsResult"))
        answer_id = content.get("responseId")
        return Piece(
            answer_id if isinstance(answer_id, str) and answer_id else self.answer_id,
            self._text(candidate),
            tokens,
            logprobs,
            finished,
            usage_of(content.get("usageMetadata")),
            finished in _FILTERED,
            self._called(candidate),
        )

    def _refuse_blocked(self, feedback: Any) -> None:
        reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
        if reason:
            where = place(self.source.url)
            raise ServiceError(
                f"the content filter of the AI service at {where} refused the prompt: {reason}",
                category="content-filtered",
            )

    def _called(self, candidate: Mapping[str, Any]) -> tuple[CallPiece, ...]:
        pieces = []
        for part in _parts(candidate) or ():
            call = part.get("functionCall")
            if not isinstance(call, dict):
                continue
            signature = part.get("thoughtSignature")
            pieces.append(
                CallPiece(
                    self._calls,
                    str(call.get("id") or ""),
                    str(call.get("name") or ""),
                    arguments_text(call.get("args")),
                    signature if isinstance(signature, str) else "",
                )
            )
            self._calls += 1
        return tuple(pieces)

    def _text(self, candidate: Mapping[str, Any]) -> str | None:
        parts = _parts(candidate)
        if parts is None:
            return None
        texts = [part["text"] for part in parts if "text" in part and not part.get("thought")]
        if not all(isinstance(text, str) for text in texts):
            raise self.source.malformed("`text` is not text")
        return "".join(texts)


def usage_of(usage: Any) -> Usage | None:
    """The token counts; thoughts are counted with the answer."""
    if not isinstance(usage, dict):
        return None
    answered = count_of(usage.get("candidatesTokenCount")) + count_of(usage.get("thoughtsTokenCount"))
    return Usage(count_of(usage.get("promptTokenCount")), answered)


def _parts(candidate: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else None


def _first(candidates: Any) -> Mapping[str, Any]:
    for candidate in candidates if isinstance(candidates, list) else ():
        if isinstance(candidate, dict) and candidate.get("index", 0) in (0, None):
            return candidate
    return {}


def _logprobs(result: Any) -> tuple[tuple[str, ...], tuple[float, ...]]:
    chosen = result.get("chosenCandidates") if isinstance(result, dict) else None
    pairs = [
        (str(item["token"]), float(item["logProbability"]))
        for item in (chosen if isinstance(chosen, list) else ())
        if isinstance(item, dict) and "token" in item and isinstance(item.get("logProbability"), int | float)
    ]
    return tuple(token for token, _ in pairs), tuple(value for _, value in pairs)
