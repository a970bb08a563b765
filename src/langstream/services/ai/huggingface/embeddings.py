"""Embeddings of Hugging Face: what is asked, which models can, and what the answers mean."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langstream.errors import ServiceError
from langstream.services.ai.contract import Embeddings
from langstream.services.ai.failures import Source
from langstream.services.ai.local.models import EMBEDDINGS_MODELS
from langstream.services.ai.remote import vectors_of

MOST_TEXTS: Final = 32
"""Texts per request: the default limit of Hugging Face's embeddings server."""

HUB: Final = "djl://ai.djl.huggingface.pytorch"
ALLOWED_VARIABLE: Final = "ALLOWED_HF_URLS"
_DEFAULT_ALLOWED: Final = f"file://,{HUB}"


def embeddings_body(texts: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """The body; `arguments` of the agent are members of it, its `options` replace the default ones."""
    chosen = options.get("options") or {"wait_for_model": "true"}
    return {**(options.get("arguments") or {}), "inputs": list(texts), "options": chosen}


def embeddings_of(content: Any, count: int, source: Source) -> Embeddings:
    """The vectors, in the order of the texts."""
    if isinstance(content, dict) and content.get("error"):
        raise source.reported(content["error"])
    if count == 1 and isinstance(content, list) and content and isinstance(content[0], int | float):
        content = [content]
    first = content[0] if isinstance(content, list) and content else None
    if isinstance(first, list) and first and isinstance(first[0], list):
        message = "the model gives vectors of tokens, not of texts: use a model of sentence-transformers"
        raise ServiceError(message, category="refused")
    return Embeddings(vectors_of(content, count, source))


def check_model(model: str, content: Any) -> None:
    """Raise ServiceError where what the hub says about the model makes it unfit for embeddings."""
    facts = content if isinstance(content, dict) else {}
    name = facts.get("modelId") or facts.get("id")
    if name != model:
        raise ServiceError(f"Hugging Face has no model '{model}', but '{name}'", category="not-found")
    tags = facts.get("tags")
    if not isinstance(tags, list) or "sentence-transformers" not in tags:
        raise ServiceError(
            f"the model '{model}' has not the tag `sentence-transformers` at Hugging Face: "
            "its vectors would be those of tokens, not of texts",
            category="refused",
        )


def local_model(model: str, model_url: str | None) -> str:
    """The name under which the local encoder knows the model. Raises ServiceError for any other model."""
    url = model_url or f"{HUB}/{model}"
    allowed = [prefix.strip() for prefix in os.environ.get(ALLOWED_VARIABLE, _DEFAULT_ALLOWED).split(",")]
    if not any(prefix and url.startswith(prefix) for prefix in allowed):
        message = f"`model-url` {url} is not allowed: the environment variable {ALLOWED_VARIABLE} has {allowed}"
        raise ServiceError(message, category="refused")
    name = url.removeprefix(f"{HUB}/")
    if name not in EMBEDDINGS_MODELS:
        raise ServiceError(
            f"`provider: local` of Hugging Face computes with the model {EMBEDDINGS_MODELS[1]} only, not with {name}: "
            "use `provider: api`, or a server of one's own with `api-url`",
            category="not-found",
        )
    return EMBEDDINGS_MODELS[0]
