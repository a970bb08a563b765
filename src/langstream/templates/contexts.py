"""Where the names of a template are looked up: the record, and the items of the sections around."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from langstream.records import AvroValue

Find: TypeAlias = Callable[[Any], Any]

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


def finder(name: str, *, in_section: bool) -> Find:
    """The function that looks up a name: in the record, or, inside of sections, in a `Context`.

    Inside, the whole name is looked for in the items around first; then its first part, there and in the record, and
    from what is found part by part.
    """
    if name in _LOOP:
        return (lambda context: _loop_variable(context, name)) if in_section else (lambda _scope: MISSING)
    parts = (name,) if name == "." else tuple(part.strip() for part in name.split("."))
    if parts[0] in (".", "this"):
        return _path(_item if in_section else _itself, parts[1:])
    if not in_section:
        return _path(_root(parts[0]), parts[1:])
    path = _path(_outwards(parts[0]), parts[1:])
    return path if len(parts) == 1 else _whole_or(name, path)


def _item(context: Context) -> Any:
    return context.item


def _itself(scope: Any) -> Any:
    return scope


def _root(name: str) -> Find:
    """A root name of the record: a key of a mapping, or the attribute of that name."""
    attribute = _ATTRIBUTES.get(name)

    def read(scope: Any) -> Any:
        if type(scope) is dict:
            return scope.get(name, MISSING)
        if attribute is not None and (found := getattr(scope, attribute, None)) is not None:
            return found
        return scope.get(name, MISSING) if isinstance(scope, Mapping) else MISSING

    return read


def _outwards(name: str) -> Find:
    """A name in the current item, the items around it, and the record."""
    read = _root(name)

    def find(context: Context) -> Any:
        while context.outer is not None:
            item = context.item
            found = item.get(name, MISSING) if type(item) is dict else step(item, name)
            if found is not MISSING:
                return found
            context = context.outer
        return read(context.item)

    return find


def _whole_or(name: str, path: Find) -> Find:
    def find(context: Context) -> Any:
        level = context
        while level.outer is not None:
            if isinstance(level.item, Mapping) and name in level.item:
                return level.item[name]
            level = level.outer
        return path(context)

    return find


def _path(start: Find, rest: tuple[str, ...]) -> Find:
    if not rest:
        return start

    def find(scope: Any) -> Any:
        found = start(scope)
        for part in rest:
            if type(found) is dict:
                found = found.get(part, MISSING)
            elif found is None or found is MISSING:
                return MISSING
            else:
                found = step(found, part)
        return found

    return find


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
