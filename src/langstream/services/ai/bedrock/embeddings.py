"""Embeddings by InvokeModel: the layouts of Titan, one text per request, and of Cohere, many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langstream.services.ai.contract import Embeddings, Usage
from langstream.services.ai.failures import Source
from langstream.services.ai.remote import count_of, vectors_of

MOST_TEXTS_OF_COHERE: Final = 96


def texts_per_request(model: str) -> int:
    """How many texts the model takes in one request."""
    return MOST_TEXTS_OF_COHERE if _is_cohere(model) else 1


def embeddings_body(model: str, texts: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """The body in the model's layout; `options` are members of it."""
    if _is_cohere(model):
        return {"input_type": "search_document", **options, "texts": list(texts)}
    return {**options, "inputText": texts[0]}


def embeddings_of(model: str, content: Any, count: int, source: Source) -> Embeddings:
    """The vectors, in the order of the texts."""
    if not isinstance(content, dict):
        raise source.malformed("it is not an object")
    if _is_cohere(model):
        found = content.get("embeddings")
        return Embeddings(vectors_of(found.get("float") if isinstance(found, dict) else found, count, source))
    vector = content.get("embedding")
    by_type = content.get("embeddingsByType")
    if vector is None and isinstance(by_type, dict):
        vector = by_type.get("float")
    tokens = content.get("inputTextTokenCount")
    usage = Usage(count_of(tokens)) if tokens is not None else None
    return Embeddings(vectors_of([vector], count, source), usage)


def _is_cohere(model: str) -> bool:
    return "cohere.embed" in model
