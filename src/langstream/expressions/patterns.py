"""Regular expressions in the syntax of the original (Java's), with a time limit.

A pattern is translated once to the syntax of the `regex` library. Matching stops after `TIME_LIMIT_SECONDS`, so that
no pattern, and no text, can hold up a node.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from langstream.expressions.errors import ExpressionError
from langstream.expressions.wording import described

TIME_LIMIT_SECONDS: Final = 0.5
_MAX_PATTERN: Final = 10_000
_MAX_REPEAT: Final = 10_000
_REPEAT: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")

_SETS: Final = {
    "d": "0-9",
    "w": "a-zA-Z0-9_",
    "s": r" \t\n\x0B\f\r",
    "h": r" \t\xA0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000",
    "v": r"\n\x0B\f\r\x85\u2028\u2029",
}
"""Classes of one letter: ASCII, as in the original."""

_POSIX: Final = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": r"\x00-\x7F",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1F\x7F",
    "XDigit": "0-9a-fA-F",
    "Space": _SETS["s"],
    "javaWhitespace": _SETS["s"],
    "javaLowerCase": r"\p{Ll}",
    "javaUpperCase": r"\p{Lu}",
}

_ESCAPES: Final = {"z": r"\Z", "Z": r"(?=\n?\Z)", "e": r"\x1B", "R": r"(?>\r\n|[\n\x0B\f\r\x85\u2028\u2029])"}


class Pattern:
    """A compiled pattern: replaces and splits."""

    __slots__ = ("_compiled", "_source")

    def __init__(self, source: str) -> None:
        self._source = source
        self._compiled = _compile(source)

    def replace(self, text: str, replacement: Callable[[Any], str] | str) -> str:
        """The text with every match replaced."""
        try:
            replaced: str = self._compiled.sub(replacement, text, timeout=TIME_LIMIT_SECONDS)
        except TimeoutError:
            raise self._too_slow(text) from None
        return replaced

    def split(self, text: str) -> list[str]:
        """The pieces between the matches; empty ones at the end are dropped."""
        pieces: list[str] = []
        start = 0
        try:
            for found in self._compiled.finditer(text, timeout=TIME_LIMIT_SECONDS):
                if found.end():  # nothing stands before a match of nothing at the beginning
                    pieces.append(text[start : found.start()])
                    start = found.end()
        except TimeoutError:
            raise self._too_slow(text) from None
        pieces.append(text[start:])
        if len(pieces) == 1:
            return pieces
        while pieces and not pieces[-1]:
            pieces.pop()
        return pieces

    def replacement(self, template: str) -> Callable[[Any], str]:
        """What stands in place of a match: `$1` and `${name}` are groups, `\\` takes the next character as it is."""
        parts = list(self._replacement_parts(template))
        if all(not isinstance(part, tuple) for part in parts):
            constant = "".join(map(str, parts))
            return lambda _found: constant
        return lambda found: "".join(
            [found.group(part[0]) or "" if isinstance(part, tuple) else part for part in parts]
        )

    def _replacement_parts(self, template: str) -> Iterator[str | tuple[int | str]]:
        position = 0
        while position < len(template):
            char = template[position]
            position += 1
            if char == "\\":
                if position == len(template):
                    raise ExpressionError("bad-argument", "the replacement ends with a single \\")
                yield template[position]
                position += 1
            elif char == "$":
                group, position = self._group(template, position)
                yield (group,)
            else:
                yield char

    def _group(self, template: str, position: int) -> tuple[int | str, int]:
        if template[position : position + 1] == "{":
            end = template.find("}", position)
            name = template[position + 1 : end] if end > 0 else ""
            if name not in self._compiled.groupindex:
                raise ExpressionError("bad-argument", f"the replacement names a group the pattern has not: ${{{name}}}")
            return name, end + 1
        digits = 0
        group = 0
        while (digit := template[position + digits : position + digits + 1]).isdecimal() and digit.isascii():
            longer = group * 10 + int(digit)
            if digits and longer > self._compiled.groups:
                break
            group, digits = longer, digits + 1
        if not digits or group > self._compiled.groups:
            wanted = f"${group}" if digits else "$"
            raise ExpressionError(
                "bad-argument",
                f"{wanted} in the replacement is no group of the pattern, which has {self._compiled.groups} "
                "(write \\$ for a dollar sign)",
            )
        return group, position + digits

    def _too_slow(self, text: str) -> ExpressionError:
        return ExpressionError(
            "regex-timeout",
            f"the regular expression {self._source[:60]!r} took more than {TIME_LIMIT_SECONDS} seconds on a text of "
            f"{len(text)} characters: make it simpler, for example with possessive quantifiers",
        )


@functools.lru_cache(maxsize=256)
def pattern(source: str) -> Pattern:
    """The compiled pattern; recent ones are remembered. Raises ExpressionError."""
    return Pattern(source)


def _compile(source: str) -> Any:
    import regex  # half of the time that importing this package would take

    if len(source) > _MAX_PATTERN:
        raise ExpressionError("bad-argument", f"a regular expression may have {_MAX_PATTERN} characters")
    for found in _REPEAT.finditer(source):
        if any(len(count) > 5 or int(count) > _MAX_REPEAT for count in found.groups() if count):
            raise ExpressionError("bad-argument", f"a regular expression may repeat at most {_MAX_REPEAT} times")
    try:
        return regex.compile("".join(_translated(source)), regex.V1)
    except (regex.error, RecursionError, ValueError, OverflowError) as error:
        raise ExpressionError(
            "bad-argument", f"{described(source)} is not a regular expression: {str(error) or 'it nests too deeply'}"
        ) from None


def _translated(source: str) -> Iterator[str]:
    position = 0
    depth = 0  # of character classes
    while position < len(source):
        char = source[position]
        if char == "\\":
            piece, position = _escape(source, position + 1, depth > 0)
            yield piece
            continue
        position += 1
        if char == "[":
            depth += 1
            if source[position : position + 1] == "^":
                char += "^"
                position += 1
            if source[position : position + 1] == "]":
                char += r"\]"
                position += 1
        elif char == "]" and depth:
            depth -= 1
        elif depth and char in "-|~" and source[position : position + 1] == char:
            char = "\\" + char  # an operator of sets to the library, a character to the user
        yield char


def _escape(source: str, position: int, in_class: bool) -> tuple[str, int]:
    """The translation of the escape whose letter is at `position`, and where the text goes on."""
    letter = source[position : position + 1]
    if letter == "Q":
        end = source.find(r"\E", position)
        quoted = source[position + 1 :] if end < 0 else source[position + 1 : end]
        return re.escape(quoted), len(source) if end < 0 else end + 2
    if letter.lower() in _SETS and letter:
        return _set(_SETS[letter.lower()], letter.isupper(), in_class), position + 1
    if letter in ("p", "P"):
        return _property(source, position, in_class)
    if letter in _ESCAPES and not (in_class and letter != "e"):
        return _ESCAPES[letter], position + 1
    if letter == "k" and source[position + 1 : position + 2] == "<":
        end = source.find(">", position)
        return f"(?P={source[position + 2 : end]})", end + 1 if end > 0 else len(source)
    if letter == "x" and source[position + 1 : position + 2] == "{":
        end = source.find("}", position)
        digits = source[position + 2 : end]
        if end > 0 and re.fullmatch("[0-9a-fA-F]{1,6}", digits):
            return rf"\U{digits.zfill(8)}", end + 1
    return "\\" + letter, position + 1


def _set(content: str, negated: bool, in_class: bool) -> str:
    if negated:
        return f"[^{content}]"
    return content if in_class else f"[{content}]"


def _property(source: str, position: int, in_class: bool) -> tuple[str, int]:
    negated = source[position] == "P"
    if source[position + 1 : position + 2] != "{":
        name, end = source[position + 1 : position + 2], position + 2
    else:
        closing = source.find("}", position)
        name, end = source[position + 2 : closing], (closing if closing > 0 else len(source)) + 1
    if name in _POSIX:
        return _set(_POSIX[name], negated, in_class), end
    return rf"\{source[position]}{{{name}}}", end
