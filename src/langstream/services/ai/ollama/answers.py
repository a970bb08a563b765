"""Reading what Ollama answers: one JSON document per line, the last one with `done` and the counts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from langstream.services.ai.calls import CallPiece, arguments_text
from langstream.services.ai.contract import Chunk, Usage
from langstream.services.ai.failures import Dialect, Source
from langstream.services.ai.remote import count_of
from langstream.services.ai.sse import Event
from langstream.services.ai.stream import Piece, whole_chunk

DIALECT: Final = Dialect(
    too_long=("exceeds the context length", "exceeds maximum context length", "exceeds the available context"),
    advice={
        401: "Check `access-key` of the resource.",
        404: "Check `model` of the agent: the server must have it (`ollama pull`).",
    },
)


@dataclass(slots=True)
class OllamaReader:
    """Reads one answer. Ollama gives answers no id, so each gets one here. Every call comes whole, a number of them in
    one line or in several."""

    source: Source
    answer_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    _calls: int = 0
    _thoughts: list[str] = field(default_factory=list)

    def piece(self, event: Event) -> Piece | None:
        """What the line adds, or None after the last one."""
        try:
            content = orjson.loads(event.data)
        except ValueError:
            raise self.source.malformed("a line of the stream is not JSON") from None
        return self._piece(content)

    def whole(self, content: Any) -> Chunk:
        """The only chunk of an answer that was not streamed."""
        piece = self._piece(content)
        if piece.text is None:
            raise self.source.malformed("it has neither `message` nor `response`")
        return whole_chunk(piece, self.source)

    def _piece(self, content: Any) -> Piece:
        if not isinstance(content, dict):
            raise self.source.malformed("it is not an object")
        if content.get("error"):
            raise self.source.reported(content["error"])
        message = content.get("message")
        text = message.get("content") if isinstance(message, dict) else content.get("response")
        if text is not None and not isinstance(text, str):
            raise self.source.malformed("its text is not text")
        done = content.get("done") is True
        finished = str(content.get("done_reason") or "stop") if done else None
        tokens, logprobs = _logprobs(content.get("logprobs"))
        usage = usage_of(content) if done else None
        calls, thoughts = self._called(message if isinstance(message, dict) else {}, done=done)
        return Piece(self.answer_id, text, tokens, logprobs, finished, usage, calls=calls, thoughts=thoughts)

    def _called(
        self, message: Mapping[str, Any], *, done: bool
    ) -> tuple[tuple[CallPiece, ...], tuple[Mapping[str, Any], ...]]:
        """The calls in a line, and at the end the thoughts that led to them."""
        thought = message.get("thinking")
        if isinstance(thought, str):
            self._thoughts.append(thought)
        pieces = []
        for call in message.get("tool_calls") or ():
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                raise self.source.malformed("one of its `tool_calls` has no `function`")
            pieces.append(
                CallPiece(
                    self._calls,
                    name=str(function.get("name") or ""),
                    arguments=arguments_text(function.get("arguments")),
                )
            )
            self._calls += 1
        thoughts = "".join(self._thoughts)
        return tuple(pieces), ({"thinking": thoughts},) if done and thoughts and self._calls else ()


def usage_of(content: Mapping[str, Any]) -> Usage | None:
    """The token counts. The count of the prompt is missing where the server had it in its cache."""
    if "prompt_eval_count" not in content and "eval_count" not in content:
        return None
    return Usage(count_of(content.get("prompt_eval_count")), count_of(content.get("eval_count")))


def _logprobs(found: Any) -> tuple[tuple[str, ...], tuple[float, ...]]:
    if not isinstance(found, list):
        return (), ()
    pairs = [
        (str(item["token"]), float(item["logprob"]))
        for item in found
        if isinstance(item, dict) and "token" in item and isinstance(item.get("logprob"), int | float)
    ]
    return tuple(token for token, _ in pairs), tuple(value for _, value in pairs)
