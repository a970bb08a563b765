"""The part of a record a transform works on: its key, its value, or both."""

from __future__ import annotations


def parts(part: str | None) -> tuple[bool, bool]:
    """Whether the key, and whether the value, is meant. As in the original, any text but `key` is the value."""
    return part is None or part == "key", part != "key"
