"""How services are asked whether they can be used: lists of their models, and requests that they must refuse.

A request without content is refused by every service before it costs anything, and how it is refused tells whether the
key and the model are good.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

from langstream.configuration.names import did_you_mean
from langstream.errors import ServiceError
from langstream.services.ai.contract import ModelUse

_NO_SUCH: Final = "not-found"
_MOST_NAMED: Final = 12


async def not_found(call: Awaitable[Any]) -> str | None:
    """The service's words if there is no such thing as the call asks about. Raises ServiceError where it is refused
    for another reason: the key, the connection."""
    try:
        await call
    except ServiceError as error:
        if error.category != _NO_SUCH:
            raise
        return str(error)
    return None


async def refused_properly(call: Awaitable[Any]) -> str | None:
    """The same of a call that must be refused for its content."""
    try:
        return await not_found(call)
    except ServiceError as error:
        if error.category not in ("refused", "malformed", "too-long"):
            raise
    return None


async def missing_each(
    uses: Collection[ModelUse],
    probe: Callable[[ModelUse], Awaitable[Any]],
    asked: Callable[[Awaitable[Any]], Awaitable[str | None]] = not_found,
) -> Mapping[ModelUse, str]:
    """Ask about each model; those that there are not, with the service's words."""
    found = {}
    for use in uses:
        words = await asked(probe(use))
        if words is not None:
            found[use] = words
    return found


def missing_of(uses: Collection[ModelUse], known: Collection[str], hint: str = "") -> Mapping[ModelUse, str]:
    """The models that are not among those the service lists."""
    return {use: _absent(use.model, known, hint) for use in uses if use.model not in known}


def names_of(content: Any, holder: str, *members: str) -> set[str]:
    """The names in a list of models: `{holder: [{member: NAME}, …]}`."""
    entries = content.get(holder) if isinstance(content, dict) else None
    found = (entry.get(member) for entry in entries or () if isinstance(entry, dict) for member in members)
    return {name for name in found if isinstance(name, str)}


def _absent(model: str, known: Collection[str], hint: str) -> str:
    names = sorted(known)
    guess = did_you_mean(model, names)
    listed = ", ".join(names[:_MOST_NAMED]) + (" …" if len(names) > _MOST_NAMED else "")
    advice = guess or (f"It has: {listed}." if listed else "It has none.")
    return " ".join(part for part in (f"the service has no model '{model}'.", advice, hint) if part)
