"""Template text → a tree of text, variables and sections. Follows the mustache specification for tags and lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from langstream.templates.errors import TemplateSyntaxError

MAX_DEPTH: Final = 50
"""How deep sections may nest."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is copied."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """`{{ name }}`, or `{{{ name }}}` without escaping."""

    name: str
    escaped: bool
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """`{{# name }}…{{/ name }}`, or inverted with `^`."""

    name: str
    inverted: bool
    content: tuple[Part, ...]
    line: int


Part: TypeAlias = Text | Variable | Section


@dataclass(slots=True)
class _Open:
    name: str
    inverted: bool
    line: int
    parts: list[Part] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Tag:
    sign: str
    name: str
    start: int
    end: int
    line: int


_SIGNS: Final = "#^/!>=&{"
_ALONE: Final = "#^/!="


def parse(text: str) -> tuple[Part, ...]:
    """The parts of a template. Raises TemplateSyntaxError."""
    return _Parser(text).parts()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.opening = "{{"
        self.closing = "}}"
        self.open: list[_Open] = [_Open("", False, 1)]

    def parts(self) -> tuple[Part, ...]:
        while tag := self.next_tag():
            before, after = tag.start, tag.end
            if tag.sign in _ALONE and tag.sign:
                before, after = self.alone(tag)
            self.copy(self.text[self.position : before])
            self.position = after
            self.take(tag)
        self.copy(self.text[self.position :])
        unclosed = self.open[-1]
        if len(self.open) > 1:
            raise TemplateSyntaxError(
                f"the section {unclosed.name}, opened in line {unclosed.line}, is not closed: "
                f"{{{{/ {unclosed.name} }}}} is missing",
                line=unclosed.line,
            )
        return tuple(unclosed.parts)

    def copy(self, text: str) -> None:
        if text:
            self.open[-1].parts.append(Text(text))

    def next_tag(self) -> _Tag | None:
        start = self.text.find(self.opening, self.position)
        if start < 0:
            return None
        line = self.text.count("\n", 0, start) + 1
        inner = start + len(self.opening)
        sign = self.text[inner : inner + 1]
        closing = self.closing
        if sign == "{":
            closing = "}" + closing
        elif sign == "=":
            closing = "=" + closing
        end = self.text.find(closing, inner + (1 if sign in _SIGNS and sign else 0))
        if end < 0:
            self.check_unclosed(sign, line)
            return None
        content = self.text[inner:end]
        sign = sign if sign and sign in _SIGNS else ""
        name = content[len(sign) :].strip()
        if not name and sign != "!":
            raise TemplateSyntaxError(f"line {line}: {self.text[start : end + len(closing)]} names nothing", line=line)
        return _Tag(sign, name, start, end + len(closing), line)

    def check_unclosed(self, sign: str, line: int) -> None:
        """A variable that is never closed is plain text; anything else is a mistake."""
        if sign and sign in _SIGNS:
            raise TemplateSyntaxError(f"line {line}: the tag {self.opening}{sign} is not closed", line=line)

    def alone(self, tag: _Tag) -> tuple[int, int]:
        """Where the tag's line begins and ends if there is nothing else in it, else where the tag does."""
        start = self.text.rfind("\n", 0, tag.start) + 1
        rest = _REST_OF_LINE.match(self.text, tag.end)
        if rest is None or self.text[start : tag.start].strip(" \t") or start < self.position:
            return tag.start, tag.end
        return start, rest.end()

    def take(self, tag: _Tag) -> None:
        if tag.sign in ("", "{", "&"):
            self.open[-1].parts.append(Variable(tag.name, tag.sign == "", tag.line))
        elif tag.sign in ("#", "^"):
            if len(self.open) > MAX_DEPTH:
                raise TemplateSyntaxError(f"line {tag.line}: sections nest deeper than {MAX_DEPTH}", line=tag.line)
            self.open.append(_Open(tag.name, tag.sign == "^", tag.line))
        elif tag.sign == "/":
            self.close(tag)
        elif tag.sign == "=":
            self.delimiters(tag)
        elif tag.sign == ">":
            raise TemplateSyntaxError(
                f"line {tag.line}: there are no partials ({{{{> {tag.name} }}}}): write the text itself", line=tag.line
            )

    def close(self, tag: _Tag) -> None:
        section = self.open[-1]
        if len(self.open) == 1:
            raise TemplateSyntaxError(f"line {tag.line}: no section {tag.name} is open here", line=tag.line)
        if section.name != tag.name:
            raise TemplateSyntaxError(
                f"line {tag.line}: expected {{{{/ {section.name} }}}} (opened in line {section.line}), "
                f"found {{{{/ {tag.name} }}}}",
                line=tag.line,
            )
        self.open.pop()
        self.open[-1].parts.append(Section(section.name, section.inverted, tuple(section.parts), section.line))

    def delimiters(self, tag: _Tag) -> None:
        words = tag.name.split()
        if len(words) != 2 or any("=" in word for word in words):
            raise TemplateSyntaxError(
                f"line {tag.line}: expected two new delimiters, such as {{{{=<% %>=}}}}", line=tag.line
            )
        self.opening, self.closing = words


_REST_OF_LINE: Final = re.compile(r"[ \t]*(?:\r?\n|\Z)")
