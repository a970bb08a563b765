"""Where the names of a template are looked up: the record, and the items of the sections around."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from langstream.records import AvroValue

MISSING: Final = object()
"""What a look-up gives for a name that is nowhere. Null is a value."""

_ATTRIBUTES: Final[Mapping[str, str]] = {
    "value": "value",
    "key": "key",
    "properties": "properties",
    "topicName": "topic_name",
    "eventTime": "event_time",
    "destinationTopic": "destination_topic",
    "record": "record",
}


class Context:
    """A level of look-up: the record at the bottom, above it an item per open section."""

    __slots__ = ("index", "item", "last", "outer")

    def __init__(self, item: Any, outer: Context | None = None, index: int = 0, last: bool = False) -> None:
        self.item = item.value if isinstance(item, AvroValue) else item
        self.outer = outer
        self.index = index
        """Position in the list, from 1; 0 if there is no list."""
        self.last = last


def root(name: str) -> Callable[[Any], Any]:
    """The function that reads a root name: a key of a mapping, or the attribute of that name."""
    attribute = _ATTRIBUTES.get(name)

    def read(scope: Any) -> Any:
        if type(scope) is dict:
            return scope.get(name, MISSING)
        if attribute is not None and (found := getattr(scope, attribute, None)) is not None:
            return found
        return scope.get(name, MISSING) if isinstance(scope, Mapping) else MISSING

    return read


def look_up(context: Context, name: str, parts: tuple[str, ...]) -> Any:
    """A name: whole in the sections around, else its first part there or in the record, then part by part."""
    if name in _LOOP:
        return _loop_variable(context, name)
    if parts[0] in (".", "this"):
        found = context.item
    else:
        found = _search(context, name) if len(parts) > 1 else MISSING
        if found is not MISSING:
            return found
        found = _find(context, parts[0])
    for part in parts[1:]:
        if found is None or found is MISSING:
            return MISSING
        found = step(found, part)
    return found


def _search(context: Context | None, name: str) -> Any:
    """The whole name as a key of an item; not of the record."""
    while context is not None and context.outer is not None:
        if isinstance(context.item, Mapping) and name in context.item:
            return context.item[name]
        context = context.outer
    return MISSING


def _find(context: Context, name: str) -> Any:
    current: Context | None = context
    while current is not None:
        found = root(name)(current.item) if current.outer is None else step(current.item, name)
        if found is not MISSING:
            return found
        current = current.outer
    return MISSING


def step(base: Any, name: str) -> Any:
    """A member of a value: a key of a map, a position in a list (from 0), `size` of a list, `length` of a text."""
    if isinstance(base, AvroValue):
        base = base.value
    if isinstance(base, Mapping):
        return base.get(name, MISSING)
    if isinstance(base, list | tuple):
        if name.isascii() and name.isdigit() and len(name) < 10:
            return base[int(name)] if int(name) < len(base) else MISSING
        return len(base) if name == "size" else MISSING
    if isinstance(base, str) and name == "length":
        return len(base)
    return MISSING


_LOOP: Final = frozenset({"-index", "-first", "-last"})


def _loop_variable(context: Context, name: str) -> Any:
    current: Context | None = context
    while current is not None and not current.index:
        current = current.outer
    if current is None:
        return MISSING
    if name == "-index":
        return current.index
    return current.index == 1 if name == "-first" else current.last
