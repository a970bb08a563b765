"""How a source treats its objects, whatever it is called in the options of its type."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """`size_option` and `topic_option` name the options, for messages."""

    idle_time: float
    max_bytes: int
    delete: bool
    emit_deletions: bool
    deletions_topic: str | None
    settle_time: float = 0.0
    size_option: str = "max-object-size"
    topic_option: str = "deleted-objects-topic"
