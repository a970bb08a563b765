"""Reading what an OpenAI server answers: whole completions, pieces of streamed ones, embeddings.

Only the first choice counts. Anything that is not shaped as documented is a `malformed` ServiceError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from langstream.services.ai.calls import CallPiece, arguments_text
from langstream.services.ai.contract import Chunk, Embeddings, Usage
from langstream.services.ai.failures import Source
from langstream.services.ai.remote import count_of
from langstream.services.ai.sse import Event
from langstream.services.ai.stream import Piece, whole_chunk

DONE = "[DONE]"


def piece_of_event(event: Event, source: Source) -> Piece:
    """The piece in an event of a streamed answer."""
    try:
        content = orjson.loads(event.data)
    except ValueError:
        if event.name == "error":
            raise source.reported(event.data) from None
        raise source.malformed("an event of the stream is not JSON") from None
    if event.name == "error" and isinstance(content, dict) and "error" not in content:
        raise source.reported(content)
    return piece_of(content, source)


def piece_of(content: Any, source: Source) -> Piece:
    """The piece in an event or a whole answer, of chat (`delta`, `message`) or text."""
    if not isinstance(content, dict):
        raise source.malformed("it is not an object")
    if content.get("error"):
        raise source.reported(content["error"])
    answer_id = content.get("id")
    answer_id = answer_id if isinstance(answer_id, str) else ""
    usage = usage_of(content.get("usage"))
    choice = _first_choice(content.get("choices"))
    if choice is None:
        return Piece(answer_id, usage=usage)
    tokens, logprobs = _logprobs(choice.get("logprobs"))
    finished = choice.get("finish_reason")
    filtered = finished == "content_filter"
    calls = calls_of(choice, source)
    return Piece(answer_id, _text(choice, source), tokens, logprobs, finished, usage, filtered, calls)


def whole_answer(content: Any, source: Source) -> Chunk:
    """The only chunk of an answer that was not streamed."""
    piece = piece_of(content, source)
    if not (isinstance(content, dict) and _first_choice(content.get("choices"))):
        raise source.malformed("it has no choice")
    return whole_chunk(piece, source)


def embeddings_of(content: Any, count: int, source: Source) -> Embeddings:
    """The vectors, in the order of the texts."""
    piece = piece_of(content, source)  # finds errors
    data = content.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise source.malformed("it has no list of embeddings")
    if len(data) != count:
        raise source.malformed(f"it has {len(data)} embeddings for {count} texts")
    ordered = sorted(enumerate(data), key=lambda pair: _index(pair[1], pair[0]))
    vectors = [item.get("embedding") for _, item in ordered]
    if not all(isinstance(vector, list) and vector for vector in vectors):
        raise source.malformed("one of its embeddings is not a list of numbers")
    return Embeddings([[float(number) for number in vector or ()] for vector in vectors], piece.usage)


def usage_of(usage: Any) -> Usage | None:
    """The token counts, or None where the server gives none."""
    if not isinstance(usage, dict):
        return None
    return Usage(count_of(usage.get("prompt_tokens")), count_of(usage.get("completion_tokens")))


def _first_choice(choices: Any) -> Mapping[str, Any] | None:
    """Choice 0: with several choices in a stream, those of other numbers are not ours."""
    if not isinstance(choices, list):
        return None
    for choice in choices:
        if isinstance(choice, dict) and choice.get("index", 0) in (0, None):
            return choice
    return None


def calls_of(choice: Mapping[str, Any], source: Source) -> tuple[CallPiece, ...]:
    """The calls of tools in a message, or their pieces in a part of a streamed one."""
    holders = (choice.get(name) for name in ("delta", "message"))
    holder: Mapping[str, Any] = next((holder for holder in holders if isinstance(holder, dict)), {})
    found = holder.get("tool_calls") or ()
    if not isinstance(found, list | tuple) or not all(isinstance(call, dict) for call in found):
        raise source.malformed("`tool_calls` is not a list of objects")
    return tuple(_call_piece(call, position) for position, call in enumerate(found))


def _call_piece(call: Mapping[str, Any], position: int) -> CallPiece:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    arguments = function.get("arguments")
    return CallPiece(
        _index(call, position),
        str(call.get("id") or ""),
        str(function.get("name") or ""),
        arguments_text(arguments) if arguments is not None else "",
    )


def _text(choice: Mapping[str, Any], source: Source) -> str | None:
    holder: Any = choice
    name = "text"
    for member in ("delta", "message"):
        if isinstance(choice.get(member), dict):
            holder, name = choice[member], "content"
    text = holder.get(name)
    if text is None and name == "content":
        text = holder.get("refusal")  # the model's own words for not answering
    if text is not None and not isinstance(text, str):
        raise source.malformed(f"`{name}` is not text")
    return text


def _logprobs(logprobs: Any) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Tokens with their log probabilities; tokens without one (those of an echoed prompt) are left out."""
    if not isinstance(logprobs, dict):
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
