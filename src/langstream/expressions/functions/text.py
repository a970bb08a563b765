"""Functions on text."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from langstream.expressions.functions.signature import VARIES, Function
from langstream.expressions.patterns import Pattern, pattern
from langstream.expressions.text import text_form

_BLANKS: Final = "".join(map(chr, range(0x21)))
_PLAIN: Final = frozenset(",;:!@#%&_=/<>~'\" ")


def text_or_empty(value: Any) -> str:
    """The text of a value, empty for null."""
    return "" if value is None else text_form(value)


def _uppercase(value: Any) -> str | None:
    return None if value is None else text_form(value).upper()


def _lowercase(value: Any) -> str | None:
    return None if value is None else text_form(value).lower()


def _trim(value: Any) -> str | None:
    return None if value is None else text_form(value).strip(_BLANKS)


def _length(value: Any) -> int:
    text = text_or_empty(value)
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _contains(value: Any, piece: Any) -> bool:
    return value is not None and piece is not None and text_form(piece) in text_form(value)


def _concat(*values: Any) -> str:
    return "".join([value if type(value) is str else text_form(value) for value in values if value is not None])


def _replace(value: Any, source: Any, replacement: Any) -> str | None:
    if value is None:
        return None
    text = text_form(value)
    if source is None or replacement is None:
        return text
    found = pattern(text_form(source))
    return found.replace(text, found.replacement(text_form(replacement)))


def _bind_replace(arguments: tuple[Any, ...]) -> Callable[..., Any]:
    _, source, replacement = arguments
    if not isinstance(source, str):
        return _replace
    compiled = Pattern(source)
    if not isinstance(replacement, str):
        return _replace
    made = compiled.replacement(replacement)
    return lambda value, *_: None if value is None else compiled.replace(text_form(value), made)


def _split(value: Any, source: Any) -> list[str] | None:
    if value is None:
        return None
    text = text_form(value)
    return pattern(text_or_empty(source)).split(text) if text else []


def _bind_split(arguments: tuple[Any, ...]) -> Callable[..., Any]:
    source = arguments[1]
    if source is VARIES:
        return _split
    separator = text_or_empty(source)
    if separator in _PLAIN:
        return lambda value, *_: None if value is None else _split_plainly(text_form(value), separator)
    compiled = Pattern(separator)

    def split(value: Any, _source: Any) -> list[str] | None:
        if value is None:
            return None
        text = text_form(value)
        return compiled.split(text) if text else []

    return split


def _split_plainly(text: str, separator: str) -> list[str]:
    pieces = text.split(separator)
    if len(pieces) > 1 or not text:
        while pieces and not pieces[-1]:
            pieces.pop()
    return pieces


FUNCTIONS: Final = (
    Function("fn:uppercase(x)", _uppercase, 1, 1),
    Function("fn:lowercase(x)", _lowercase, 1, 1),
    Function("fn:trim(x)", _trim, 1, 1),
    Function("fn:length(x)", _length, 1, 1),
    Function("fn:contains(x, piece)", _contains, 2, 2),
    Function("fn:concat(a, b, …)", _concat, 0, None),
    Function("fn:concat3(a, b, c)", _concat, 3, 3),
    Function("fn:replace(x, regex, replacement)", _replace, 3, 3, _bind_replace),
    Function("fn:split(x, regex)", _split, 2, 2, _bind_split),
    Function("fn:str(x)", text_or_empty, 1, 1),
    Function("fn:toString(x)", text_or_empty, 1, 1),
    Function("fn:uuid()", lambda: str(uuid.uuid4()), 0, 0),
)
