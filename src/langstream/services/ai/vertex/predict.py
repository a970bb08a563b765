"""The method `predict` of Vertex AI: embeddings, and the completion models that came before Gemini."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langstream.services.ai.contract import Chunk, CompletionOptions, Embeddings, Message, Usage
from langstream.services.ai.conversation import present
from langstream.services.ai.failures import Source
from langstream.services.ai.remote import count_of, vectors_of

_EARLIER: Final = re.compile(r"-(?:bison|unicorn|gecko)\b")


def before_gemini(model: str) -> bool:
    """Whether completions of the model are predictions: `chat-bison`, `text-unicorn` …"""
    return bool(_EARLIER.search(model))


def chat_body(messages: Sequence[Message], options: CompletionOptions) -> dict[str, Any]:
    """The body for a chat; roles are authors."""
    conversation = [{"author": message.role or "user", "content": message.content} for message in messages]
    instance = {"context": "", "examples": [], "messages": conversation}
    return {"parameters": _parameters(options), "instances": [instance]}


def text_body(prompt: str, options: CompletionOptions) -> dict[str, Any]:
    """The body for a text completion."""
    return {"parameters": _parameters(options), "instances": [{"prompt": prompt}]}


def answer_of(content: Any, source: Source) -> Chunk:
    """The answer to either. One without a candidate is empty."""
    predictions = content.get("predictions") if isinstance(content, dict) else None
    if not isinstance(predictions, list) or not predictions or not isinstance(predictions[0], dict):
        raise source.malformed("it has no prediction")
    first: Any = predictions[0]
    if "candidates" in first:
        candidates = first["candidates"]
        first = candidates[0] if isinstance(candidates, list) and candidates else {"content": ""}
    text = _member(first, "content")
    if not isinstance(text, str):
        raise source.malformed("its prediction has no text `content`")
    return Chunk(text, str(uuid.uuid4()), True, usage=_usage(content.get("metadata")))


def embeddings_body(texts: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """The body for embeddings. `task_type` and `title` belong to the texts, the other options to the request."""
    about = present({"task_type": option(options, "taskType"), "title": options.get("title")})
    parameters = present({name: option(options, name) for name in ("autoTruncate", "outputDimensionality")})
    body: dict[str, Any] = {"instances": [{"content": text, **about} for text in texts]}
    return {**body, "parameters": parameters} if parameters else body


def embeddings_of(content: Any, count: int, source: Source) -> Embeddings:
    """The vectors, in the order of the texts."""
    predictions = content.get("predictions") if isinstance(content, dict) else None
    found = [_embedding(prediction) for prediction in (predictions if isinstance(predictions, list) else ())]
    tokens = sum(count_of(_member(embedding.get("statistics"), "token_count")) for embedding in found)
    vectors = vectors_of([embedding.get("values") for embedding in found], count, source)
    return Embeddings(vectors, Usage(tokens) if tokens else None)


def option(options: Mapping[str, Any], name: str) -> Any:
    """An option by its name in the protocol, or written with underscores."""
    return options.get(name, options.get(re.sub(r"([A-Z])", r"_\1", name).lower()))


def _parameters(options: CompletionOptions) -> dict[str, Any]:
    known = {"temperature": options.temperature, "maxOutputTokens": options.max_tokens, "topP": options.top_p}
    return {**options.extra, **present(known)}


def _usage(metadata: Any) -> Usage | None:
    counts = _member(metadata, "tokenMetadata")
    if not isinstance(counts, dict):
        return None
    prompt, answer = (_member(counts.get(name), "totalTokens") for name in ("inputTokenCount", "outputTokenCount"))
    return Usage(count_of(prompt), count_of(answer))


def _embedding(prediction: Any) -> Mapping[str, Any]:
    found = _member(prediction, "embeddings")
    return found if isinstance(found, dict) else {}


def _member(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else None
