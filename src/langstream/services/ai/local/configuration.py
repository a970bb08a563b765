"""The options of `local-ai-configuration`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from langstream.configuration.model import Configuration


class LocalConfiguration(Configuration):
    """A sentence encoder and an extractive answerer in this process: no key, no network, no language model."""

    threads: int = Field(2, ge=1, le=64, description="Threads of the encoder.")
    quotes: int = Field(3, ge=1, le=20, description="Most passages quoted in an answer.")
    minimum_similarity: float = Field(
        0.3, ge=-1, le=1, description="Passages less similar to the question than this are not quoted."
    )
    cache_directory: Path | None = Field(
        None, description="Where the prepared model is kept; by default in the user's cache directory."
    )
