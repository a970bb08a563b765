"""YAML text → plain data in which every place is known by line and column.

The parser's events are read one by one, so that nothing is built before it is known to be small enough: nesting,
number of values and the expansion of aliases are limited. Keys are always text. Duplicate keys are refused. Only the
first document of a file is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from langstream.application.yaml_scalars import scalar_value, short_tag
from langstream.configuration.validation import Path
from langstream.errors import Position, Problem

_NATIVE: Final = yaml.__with_libyaml__

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML without libyaml: slower, same events
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

MAX_BYTES: Final = 4 * 1024 * 1024
"""A larger file is no application file; reading it would only cost memory."""
MAX_VALUES: Final = 200_000
"""Values of one file, those reached through aliases counted each time."""
MAX_DEPTH: Final = 64


@dataclass(slots=True)
class Place:
    """Where a value stands: its own place, that of its key, and the places of its members."""

    line: int
    column: int
    members: dict[str | int, Place] = field(default_factory=dict)
    key: tuple[int, int] | None = None

    @property
    def shown(self) -> tuple[int, int]:
        """The key's place where there is a key: that is where people look for a name."""
        return self.key or (self.line, self.column)


@dataclass(frozen=True, slots=True)
class Places:
    """The `Locator` of one value of a file."""

    file: str
    place: Place | None = None

    def __call__(self, path: Path) -> Position:
        """The position of the path; of the nearest enclosing place where it does not exist."""
        place = self.place
        if place is None:
            return Position(self.file)
        for part in path:
            inner = place.members.get(part)
            if inner is None:
                break
            place = inner
        return Position(self.file, *place.shown)

    def below(self, *path: str | int) -> Places:
        """The places of a value inside; of the nearest enclosing one where there is none."""
        place = self.place
        for part in path:
            inner = place.members.get(part) if place else None
            if inner is None:
                break
            place = inner
        return Places(self.file, place)


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says. `data` is None for an empty file."""

    file: str
    data: Any
    places: Places
    rest: Position | None = None
    """Where a second document begins, which is not read."""


class _Refused(Exception):
    def __init__(self, message: str, mark: Any = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.mark, self.hint = message, mark, hint


def read_yaml(content: bytes, file: str) -> tuple[Document | None, list[Problem]]:
    """The document of a file's bytes, or None and what is wrong with them."""
    try:
        text = _decoded(content)
        builder = _Builder(text)
        data, place = builder.document()
    except _Refused as refusal:
        return None, [Problem(refusal.message, _position(file, refusal.mark), refusal.hint)]
    except yaml.MarkedYAMLError as error:
        return None, [_syntax_problem(error, file)]
    except yaml.reader.ReaderError as error:
        return None, [_character_problem(error, text, file)]
    problems = [
        Problem(f"The key '{key}' is written twice.", _position(file, mark), f"It is first written on line {first}.")
        for key, first, mark in builder.duplicates
    ]
    rest = _position(file, builder.rest) if builder.rest else None
    return Document(file, data, Places(file, place), rest), problems


def _decoded(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise _Refused(f"The file is too large: {len(content):,} bytes; at most {MAX_BYTES:,} are read.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Refused("The file is not UTF-8 but UTF-16.", hint="Save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Refused(
            f"The file is not UTF-8: line {line} holds a byte that cannot be.", hint="Save it as UTF-8."
        ) from None


def _position(file: str, mark: Any) -> Position:
    return Position(file) if mark is None else Position(file, mark.line + 1, mark.column + 1)


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    problem = _one_line(error.problem or "it cannot be read")
    context = f" {_one_line(error.context)}" if error.context else ""
    opened = error.context_mark
    begun = (
        f" (begun on line {opened.line + 1})"
        if opened and error.problem_mark and opened.line != error.problem_mark.line
        else ""
    )
    hint = "Indent with blanks, not with tabs." if "cannot start any token" in problem else None
    return Problem(
        f"This is not valid YAML:{context}{begun}: {problem}.", _position(file, error.problem_mark or opened), hint
    )


def _character_problem(error: yaml.reader.ReaderError, text: str, file: str) -> Problem:
    # libyaml counts bytes, the parser in Python characters
    before = text.encode()[: error.position].decode(errors="ignore") if _NATIVE else text[: error.position]
    position = Position(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
    return Problem(f"This is not valid YAML: the character U+{int(error.character):04X} is not allowed.", position)


def _one_line(text: str) -> str:
    return " ".join(text.split())


@dataclass(slots=True)
class _Node:
    """A value under construction or complete. `weight` counts the values in it, aliases expanded."""

    value: Any
    place: Place
    weight: int = 1
    plain: str | None = None
    """The text of a scalar."""
    styled: bool = False
    """The scalar is quoted: never null, a number or a merge key."""


class _Builder:
    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
        self._anchors: dict[str, _Node] = {}
        self._values = 0
        self.duplicates: list[tuple[str, int, Any]] = []
        self.rest: Any = None

    def document(self) -> tuple[Any, Place | None]:
        for event in self._events:
            if isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
                continue
            if isinstance(event, yaml.StreamEndEvent):
                return None, None
            node = self._node(event, 0)
            self.rest = self._second_document()
            return node.value, node.place
        return None, None

    def _second_document(self) -> Any:
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    following = next(self._events, None)
                    empty = isinstance(following, yaml.ScalarEvent) and not following.value
                    return None if empty else event.start_mark
        except yaml.YAMLError:
            return None  # nobody reads it
        return None

    def _node(self, event: Any, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            raise _Refused(f"Values are nested more than {MAX_DEPTH} levels deep.", event.start_mark)
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            node = self._alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, Place(mark.line + 1, mark.column + 1), depth)
        else:
            node = self._mapping(event, Place(mark.line + 1, mark.column + 1), depth)
        return node

    def _count(self, weight: int, mark: Any) -> None:
        self._values += weight
        if self._values > MAX_VALUES:
            raise _Refused(f"The file has more than {MAX_VALUES:,} values, its aliases expanded.", mark)

    def _alias(self, event: Any) -> _Node:
        known = self._anchors.get(event.anchor)
        if known is None:
            raise _Refused(f"The alias *{event.anchor} has no anchor &{event.anchor} before it.", event.start_mark)
        self._count(known.weight, event.start_mark)
        return _Node(known.value, known.place, known.weight, known.plain, known.styled)

    def _scalar(self, event: Any) -> _Node:
        mark = event.start_mark
        self._count(1, mark)
        styled = not event.implicit[0]
        try:
            value = scalar_value(event.value, event.tag, plain=event.implicit[0])
        except ValueError as error:
            raise _Refused(f"{error}.", mark, "Known tags: !!str, !!int, !!float, !!bool, !!null.") from None
        node = _Node(value, Place(mark.line + 1, mark.column + 1), 1, event.value, styled)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _sequence(self, event: Any, place: Place, depth: int) -> _Node:
        _known_tag(event, "tag:yaml.org,2002:seq")
        self._count(1, event.start_mark)
        items: list[Any] = []
        node = _Node(items, place)
        for inner in self._events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            item = self._node(inner, depth + 1)
            place.members[len(items)] = item.place
            items.append(item.value)
            node.weight += item.weight
        if event.anchor:  # registered when complete, so a value cannot contain itself
            self._anchors[event.anchor] = node
        return node

    def _mapping(self, event: Any, place: Place, depth: int) -> _Node:
        _known_tag(event, "tag:yaml.org,2002:map")
        self._count(1, event.start_mark)
        content: dict[str, Any] = {}
        merged: list[tuple[Any, Place]] = []
        node = _Node(content, place)
        for inner in self._events:
            if isinstance(inner, yaml.MappingEndEvent):
                break
            self._entry(inner, content, merged, node, depth)
        for value, origin in merged:
            for key, inherited in value.items():
                if key not in content:
                    content[key] = inherited
                    place.members[key] = origin.members[key]
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _entry(
        self, event: Any, content: dict[str, Any], merged: list[tuple[Any, Place]], node: _Node, depth: int
    ) -> None:
        mark = event.start_mark
        key = self._node(event, depth + 1)
        if key.plain is None:
            raise _Refused("A key must be a text, not a list or a mapping.", mark, "Put text with braces in quotes.")
        value = self._node(next(self._events), depth + 1)
        node.weight += value.weight
        name = key.plain
        if name == "<<" and not key.styled:
            merged.extend(_merge_sources(value, mark))
            return
        if name in content:
            self.duplicates.append((name, node.place.members[name].shown[0], mark))
            return
        content[name] = value.value
        # a place of its own for each key: an aliased value may have several
        node.place.members[name] = Place(
            value.place.line, value.place.column, value.place.members, (mark.line + 1, mark.column + 1)
        )


def _merge_sources(value: _Node, mark: Any) -> list[tuple[Any, Place]]:
    if isinstance(value.value, dict):
        return [(value.value, value.place)]
    if isinstance(value.value, list) and all(isinstance(item, dict) for item in value.value):
        return [(item, value.place.members[index]) for index, item in enumerate(value.value)]
    raise _Refused("The value of the merge key << must be a mapping or a list of mappings.", mark)


def _known_tag(event: Any, tag: str) -> None:
    if event.tag not in (None, "!", tag):
        raise _Refused(f"The tag {short_tag(event.tag)} is not supported.", event.start_mark)
