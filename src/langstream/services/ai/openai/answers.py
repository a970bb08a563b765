"""Reading what an OpenAI server answers: whole completions, pieces of streamed ones, embeddings.

Only the first choice counts. Anything that is not shaped as documented is a `malformed` ServiceError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from langstream.errors import ServiceError
from langstream.services.ai.contract import Chunk, Embeddings, Usage
from langstream.services.ai.failures import malformed, place, reported
from langstream.services.ai.sse import Event


@dataclass(frozen=True, slots=True)
class Source:
    """Who answered, for messages, and what must not be in them."""

    url: str
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event adds to the answer. `text` None: nothing; `finished`: it says why the answer ends."""

    answer_id: str = ""
    text: str | None = None
    tokens: tuple[str, ...] = ()
    logprobs: tuple[float, ...] = ()
    finished: str | None = None
    usage: Usage | None = None


DONE = "[DONE]"


def piece_of_event(event: Event, source: Source) -> Piece:
    """The piece in an event of a streamed answer."""
    try:
        content = orjson.loads(event.data)
    except ValueError:
        if event.name == "error":
            raise reported(event.data, source.url, source.secrets) from None
        raise malformed(source.url, "an event of the stream is not JSON") from None
    if event.name == "error" and isinstance(content, dict) and "error" not in content:
        raise reported(content, source.url, source.secrets)
    return piece_of(content, source)


def piece_of(content: Any, source: Source) -> Piece:
    """The piece in an event or a whole answer, of chat (`delta`, `message`) or text."""
    if not isinstance(content, dict):
        raise malformed(source.url, "it is not an object")
    if content.get("error"):
        raise reported(content["error"], source.url, source.secrets)
    answer_id = content.get("id")
    answer_id = answer_id if isinstance(answer_id, str) else ""
    usage = usage_of(content.get("usage"))
    choice = _first_choice(content.get("choices"))
    if choice is None:
        return Piece(answer_id, usage=usage)
    tokens, logprobs = _logprobs(choice.get("logprobs"))
    return Piece(answer_id, _text(choice, source), tokens, logprobs, choice.get("finish_reason"), usage)


def whole_answer(content: Any, source: Source) -> Chunk:
    """The only chunk of an answer that was not streamed."""
    piece = piece_of(content, source)
    if not (isinstance(content, dict) and _first_choice(content.get("choices"))):
        raise malformed(source.url, "it has no choice")
    refuse_filtered(piece.finished, piece.text or "", source)
    return Chunk(piece.text or "", piece.answer_id, True, piece.tokens, piece.logprobs, piece.usage)


def refuse_filtered(finished: str | None, text: str, source: Source) -> None:
    """Raise where a content filter left nothing of the answer."""
    if finished == "content_filter" and not text:
        raise ServiceError(
            f"the content filter of the AI service at {place(source.url)} withheld the answer",
            category="content-filtered",
        )


def embeddings_of(content: Any, count: int, source: Source) -> Embeddings:
    """The vectors, in the order of the texts."""
    piece = piece_of(content, source)  # finds errors
    data = content.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise malformed(source.url, "it has no list of embeddings")
    if len(data) != count:
        raise malformed(source.url, f"it has {len(data)} embeddings for {count} texts")
    ordered = sorted(enumerate(data), key=lambda pair: _index(pair[1], pair[0]))
    vectors = [item.get("embedding") for _, item in ordered]
    if not all(isinstance(vector, list) and vector for vector in vectors):
        raise malformed(source.url, "one of its embeddings is not a list of numbers")
    return Embeddings([[float(number) for number in vector or ()] for vector in vectors], piece.usage)


def usage_of(usage: Any) -> Usage | None:
    """The token counts, or None where the server gives none."""
    if not isinstance(usage, Mapping):
        return None
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))


def _first_choice(choices: Any) -> Mapping[str, Any] | None:
    """Choice 0: with several choices in a stream, those of other numbers are not ours."""
    if not isinstance(choices, Sequence):
        return None
    for choice in choices:
        if isinstance(choice, Mapping) and choice.get("index", 0) in (0, None):
            return choice
    return None


def _text(choice: Mapping[str, Any], source: Source) -> str | None:
    holder: Any = choice
    name = "text"
    for member in ("delta", "message"):
        if isinstance(choice.get(member), Mapping):
            holder, name = choice[member], "content"
    text = holder.get(name)
    if text is None and name == "content":
        text = holder.get("refusal")  # the model's own words for not answering
    if text is not None and not isinstance(text, str):
        raise malformed(source.url, f"`{name}` is not text")
    return text


def _logprobs(logprobs: Any) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Tokens with their log probabilities; tokens without one (those of an echoed prompt) are left out."""
    if not isinstance(logprobs, Mapping):
        return (), ()
    pairs = [
        (token, float(value))
        for token, value in zip(logprobs.get("tokens") or (), logprobs.get("token_logprobs") or (), strict=False)
        if value is not None
    ]
    return tuple(token for token, _ in pairs), tuple(value for _, value in pairs)


def _index(item: Mapping[str, Any], position: int) -> int:
    index = item.get("index")
    return index if isinstance(index, int) else position


def _count(number: Any) -> int:
    return number if isinstance(number, int) else 0
