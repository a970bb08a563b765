"""Names of places that computed fields may be stored in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Root: TypeAlias = Literal["value", "key", "properties", "messageKey", "destinationTopic"]

_WHOLE: Final[tuple[Root, ...]] = ("value", "key", "messageKey", "destinationTopic")
_STRUCTURED: Final[tuple[Root, ...]] = ("value", "key", "properties")


@dataclass(frozen=True, slots=True)
class Target:
    """A place in a record. `member` is None for the whole of it; dots in it have no meaning."""

    root: Root
    member: str | None = None


def target_of(name: str) -> Target:
    """The place a name stands for. Raises ValueError, saying what names there are."""
    root, _, member = name.partition(".")
    for known in _STRUCTURED:
        if root == known and member:
            return Target(known, member)
    for known in _WHOLE:
        if name == known:
            return Target(known)
    raise ValueError(
        f"{name!r} is not a field that can be set: expected value, key, value.NAME, key.NAME, properties.NAME, "
        "messageKey or destinationTopic"
    )
