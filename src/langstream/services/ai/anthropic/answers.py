"""Reading what the Messages API answers: whole messages, and the events of streamed ones.

The count of the prompt's tokens comes at the beginning of a stream, that of the answer's at its end. Thoughts are no
text; they are kept for the service, which wants them back with the calls that they led to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from langstream.services.ai.anthropic.requests import THOUGHTS
from langstream.services.ai.calls import CallPiece, arguments_text
from langstream.services.ai.contract import Chunk, Usage
from langstream.services.ai.failures import Dialect, Source
from langstream.services.ai.remote import count_of
from langstream.services.ai.schemas import ANSWER_TOOL
from langstream.services.ai.sse import Event
from langstream.services.ai.stream import Piece, whole_chunk

DIALECT: Final = Dialect(
    categories={
        "api_error": "transient",
        "authentication_error": "authentication",
        "billing_error": "refused",
        "invalid_request_error": "refused",
        "not_found_error": "not-found",
        "overloaded_error": "transient",
        "permission_error": "authentication",
        "rate_limit_error": "rate-limited",
        "request_too_large": "too-long",
        "timeout_error": "transient",
    },
    too_long=("prompt is too long", "exceed context limit", "exceeds the maximum number of tokens"),
    advice={
        401: "Check `access-key` of the resource.",
        403: "Check that the key may use this model.",
        404: "Check `model` of the agent and `url` of the resource.",
    },
)


@dataclass(slots=True)
class AnthropicReader:
    """Reads one answer. `by_tool`: the arguments of the answer tool are its text."""

    source: Source
    by_tool: bool = False
    _usage: dict[str, Any] = field(default_factory=dict)
    _answering: int | None = None
    _thoughts: dict[int, dict[str, Any]] = field(default_factory=dict)

    def piece(self, event: Event) -> Piece | None:
        """What the event adds, or None at `message_stop`."""
        try:
            content = orjson.loads(event.data)
        except ValueError:
            if event.name == "error":
                raise self.source.reported(event.data) from None
            raise self.source.malformed("an event of the stream is not JSON") from None
        if not isinstance(content, dict):
            raise self.source.malformed("an event of the stream is not an object")
        match content.get("type"):
            case "error":
                raise self.source.reported(content.get("error"))
            case "message_stop":
                return None
            case "message_start":
                message = _object(content.get("message"))
                self._count(message.get("usage"))
                return Piece(str(message.get("id") or ""))
            case "content_block_start":
                return self._begun(count_of(content.get("index")), _object(content.get("content_block")))
            case "content_block_delta":
                return self._added(count_of(content.get("index")), _object(content.get("delta")))
            case "content_block_stop":
                thought = self._thoughts.pop(count_of(content.get("index")), None)
                return Piece(thoughts=(thought,) if thought is not None else ())
            case "message_delta":
                self._count(content.get("usage"))
                return self._end(_object(content.get("delta")).get("stop_reason"))
        return Piece()  # pings, and what is yet to be invented

    def whole(self, content: Any) -> Chunk:
        """The only chunk of an answer that was not streamed."""
        if not isinstance(content, dict):
            raise self.source.malformed("it is not an object")
        if content.get("type") == "error":
            raise self.source.reported(content.get("error"))
        blocks = content.get("content")
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            raise self.source.malformed("it has no list `content`")
        self._count(content.get("usage"))
        end = self._end(content.get("stop_reason"))
        pieces = [self._begun(index, block) for index, block in enumerate(blocks)]
        return whole_chunk(
            Piece(
                str(content.get("id") or ""),
                "".join(piece.text or "" for piece in pieces),
                finished=end.finished,
                usage=end.usage,
                filtered=end.filtered,
                calls=tuple(call for piece in pieces for call in piece.calls),
                thoughts=tuple(block for block in blocks if block.get("type") in THOUGHTS),
            ),
            self.source,
        )

    def _begun(self, index: int, block: Mapping[str, Any]) -> Piece:
        """What a block, or the beginning of a streamed one, adds."""
        kind = block.get("type")
        if kind in THOUGHTS:
            self._thoughts[index] = dict(block)
        if kind != "tool_use":
            return Piece(text=self._text(block, "text"))
        given = block.get("input")
        arguments = arguments_text(given) if given else ""
        if self.by_tool and block.get("name") == ANSWER_TOOL:
            self._answering = index
            return Piece(text=arguments)
        piece = CallPiece(index, str(block.get("id") or ""), str(block.get("name") or ""), arguments)
        return Piece(calls=(piece,))

    def _added(self, index: int, delta: Mapping[str, Any]) -> Piece:
        """What a piece adds to its block."""
        match delta.get("type"):
            case "input_json_delta":
                arguments = str(delta.get("partial_json") or "")
                if index == self._answering:
                    return Piece(text=arguments)
                return Piece(calls=(CallPiece(index, arguments=arguments),))
            case "thinking_delta" | "signature_delta":
                thought = self._thoughts.setdefault(index, {"type": "thinking", "thinking": ""})
                for name in ("thinking", "signature"):
                    if isinstance(delta.get(name), str):
                        thought[name] = thought.get(name, "") + delta[name]
                return Piece()
        return Piece(text=self._text(delta, "text_delta"))

    def _end(self, reason: Any) -> Piece:
        finished = reason if isinstance(reason, str) else None
        return Piece(finished=finished, usage=self._counted(), filtered=finished == "refusal")

    def _text(self, holder: Mapping[str, Any], kind: str) -> str | None:
        if holder.get("type") != kind:
            return None
        text = holder.get("text")
        if not isinstance(text, str):
            raise self.source.malformed("`text` is not text")
        return text

    def _count(self, usage: Any) -> None:
        self._usage |= {name: value for name, value in _object(usage).items() if value is not None}

    def _counted(self) -> Usage | None:
        """The counts so far; each of them is a total. What the service keeps in its cache is part of the prompt."""
        if not self._usage:
            return None
        prompt = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        return Usage(
            sum(count_of(self._usage.get(name)) for name in prompt), count_of(self._usage.get("output_tokens"))
        )


def _object(content: Any) -> Mapping[str, Any]:
    return content if isinstance(content, dict) else {}
