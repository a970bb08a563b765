"""YAML text → plain data in which every place is known by line and column.

The parser's events are read one by one, so that nothing is built before it is known to be small enough: nesting,
number of values and the expansion of aliases are limited. Scalars follow the core of YAML 1.2 with the booleans of
YAML 1.1 (`yes`, `off`, …) that existing application files use; dates stay text, and so do numbers with leading zeros.
Keys are always text. Duplicate keys are refused. Only the first document of a file is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

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
        value = _scalar_value(event)
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
        raise _Refused(f"The tag {_short_tag(event.tag)} is not supported.", event.start_mark)


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


_BOOLEANS: Final[Mapping[str, bool]] = {
    spelling: value
    for word, value in {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.items()
    for spelling in (word, word.capitalize(), word.upper())
}
_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)\Z")
_OTHER_BASE: Final = re.compile(r"0x[0-9a-fA-F]+\Z|0o[0-7]+\Z|0b[01]+\Z")
_FLOAT: Final = re.compile(
    r"[-+]?(?:[0-9][0-9_]*)?\.?[0-9]+(?:[eE][-+]?[0-9]+)?\Z|[-+]?[0-9][0-9_]*\.(?:[eE][-+]?[0-9]+)?\Z"
)
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9_]")
_SPECIAL: Final[Mapping[str, float]] = {
    f"{sign}.{word}": float(f"{sign}{word}") for sign in ("", "-", "+") for word in ("inf", "Inf", "INF")
} | {f".{word}": float("nan") for word in ("nan", "NaN", "NAN")}
_MAX_DIGITS: Final = 400  # turning longer digits into a number takes time that grows with their square


def _scalar_value(event: Any) -> Any:
    text: str = event.value
    tag = event.tag
    if tag is None or tag == "!":
        return _plain_value(text) if event.implicit[0] else text
    name = _short_tag(tag)
    if name == "!!str":
        return text
    if name not in ("!!int", "!!float", "!!bool", "!!null"):
        raise _Refused(
            f"The tag {name} is not supported.", event.start_mark, "Known tags: !!str, !!int, !!float, !!bool."
        )
    value = _plain_value(text)
    if name == "!!float" and type(value) is int:
        value = float(value)
    kinds = {"!!int": int, "!!float": float, "!!bool": bool, "!!null": type(None)}
    if type(value) is not kinds[name]:
        raise _Refused(f"This value does not fit its tag {name}.", event.start_mark)
    return value


def _plain_value(text: str) -> Any:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "0123456789+-." or len(text) > _MAX_DIGITS:
        return text
    if _INTEGER.match(text):
        return int(text.replace("_", ""))
    if _OTHER_BASE.match(text):
        return int(text, 0)
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _FLOAT.match(text) and not _LEADING_ZERO.match(text):
        return float(text.replace("_", ""))
    return text
