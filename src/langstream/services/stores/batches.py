"""Writing a batch by primary key: order kept where it matters, and the one bad row found.

Rows with different keys can go to the store together; rows with the same key go one after the other. When the store
refuses a batch for what is in it, it is written again in halves until the rows to blame are alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import orjson

from langstream.errors import LangStreamError, RecordError, ServiceError
from langstream.sdk.contract import NotAttempted
from langstream.services.stores.contract import Write

Item = TypeVar("Item")

Outcomes: TypeAlias = "Sequence[Exception | None] | None"
"""One per item; None where all of them succeeded."""

_BLAMELESS = ("transient", "rate-limited", "authentication", "cancelled")
"""Categories of failures that say nothing about the rows."""


async def write_by_key(
    writes: Sequence[Write],
    upsert: Callable[[Sequence[Write]], Awaitable[Outcomes]],
    delete: Callable[[Sequence[Write]], Awaitable[Outcomes]],
    limit: int = 1000,
) -> list[Exception | None]:
    """The outcome of each write. `upsert` and `delete` get at most `limit` writes, no key twice among them.

    Writes after a failed one of the same key are left alone (`NotAttempted`): tried again, the failed one would undo
    them.
    """
    outcomes: list[Exception | None] = [None] * len(writes)
    failed: set[Hashable] = set()
    for keys in rounds(writes):
        for action, deletes in ((upsert, False), (delete, True)):
            chosen = []
            for key, place in keys.items():
                if (writes[place].values is None) is not deletes:
                    continue
                if key in failed:
                    outcomes[place] = NotAttempted()
                else:
                    chosen.append((key, place))
            for start in range(0, len(chosen), limit):
                part = chosen[start : start + limit]
                found = await isolated([writes[place] for _, place in part], action)
                for (key, place), outcome in zip(part, found, strict=True):
                    outcomes[place] = outcome
                    if outcome is not None:
                        failed.add(key)
    return outcomes


async def isolated(
    items: Sequence[Item], action: Callable[[Sequence[Item]], Awaitable[Outcomes]]
) -> Sequence[Exception | None]:
    """The outcome of each item: where the action refuses them together, it is tried with either half.

    The action must be all-or-nothing or idempotent.
    """
    failure: LangStreamError
    try:
        return await action(items) or [None] * len(items)
    except ServiceError as error:
        if error.category in _BLAMELESS:
            return [error] * len(items)
        failure = error
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:  # a value has no form in the store
        failure = RecordError(f"the row cannot be written: {error}")
    if len(items) == 1:
        return [failure]
    half = len(items) // 2
    return [*await isolated(items[:half], action), *await isolated(items[half:], action)]


def rounds(writes: Sequence[Write]) -> list[dict[Hashable, int]]:
    """The places of the writes by key, in as few rounds as keep equal keys in order; no key is twice in a round."""
    found: list[dict[Hashable, int]] = []
    counts: dict[Hashable, int] = {}
    for place, write in enumerate(writes):
        key = identity(write.key)
        number = counts.get(key, 0)
        counts[key] = number + 1
        if number == len(found):
            found.append({})
        found[number][key] = place
    return found


def identity(key: Mapping[str, Any]) -> Hashable:
    """Equal for equal keys."""
    values = tuple(key.values())
    if len(values) == 1 and type(values[0]) is str:
        return values[0]  # equal to no other kind of identity
    try:
        hash(values)
    except TypeError:
        return orjson.dumps(values, default=str, option=orjson.OPT_NON_STR_KEYS)
    return tuple((type(value), value) for value in values)
