"""Template → closure. The text is read once; rendering joins the texts of the parts.

Outside of sections names are read from the record directly; inside, through `Context`s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from langstream.records import AvroValue
from langstream.templates.contexts import MISSING, Context, finder
from langstream.templates.errors import TemplateError
from langstream.templates.parser import Part, Section, Text, Variable, parse
from langstream.templates.values import escaped, printed

Write: TypeAlias = Callable[[Any], str]
"""Writes a part: from the record outside of sections, from a `Context` inside."""

_LEGACY_OPENING: Final = "{{%"
_MAX_SHOWN: Final = 80


def compile_template(text: str, *, legacy: bool = False) -> Callable[[Any], str]:
    """The template as a function of a record (or of a mapping with the names it uses).

    `legacy` reads `{{%` as `{{`, for chat messages and embeddings of old files. Raises TemplateSyntaxError; the
    function raises TemplateError for a variable that is missing or null.
    """
    if legacy:
        text = text.replace(_LEGACY_OPENING, "{{")
    return _sequence(parse(text), in_section=False)


def _sequence(parts: tuple[Part, ...], *, in_section: bool) -> Write:
    """Texts stay where they are in a list; the others are put in between."""
    fixed = [part.text if isinstance(part, Text) else "" for part in parts]
    moving = [
        (position, _variable(part, in_section) if isinstance(part, Variable) else _section(part, in_section))
        for position, part in enumerate(parts)
        if not isinstance(part, Text)
    ]
    if not moving:
        constant = "".join(fixed)
        return lambda _scope: constant
    if len(parts) == 1:
        return moving[0][1]

    def write(scope: Any) -> str:
        pieces = fixed.copy()
        for position, part in moving:
            pieces[position] = part(scope)
        return "".join(pieces)

    return write


# --- parts


def _variable(part: Variable, in_section: bool) -> Write:
    find, name, line, escape = finder(part.name, in_section=in_section), part.name, part.line, part.escaped

    def write(scope: Any) -> str:
        found = find(scope)
        if type(found) is str:
            return escaped(found) if escape else found
        if found is None or found is MISSING:
            raise _missing(name, line, null=found is None)
        if found is scope or (isinstance(scope, Context) and scope.outer is None and found is scope.item):
            raise TemplateError(f"template line {line}: {{{{{name}}}}} is the item of a section, but none is open here")
        try:
            text = printed(found)
        except (TypeError, ValueError, RecursionError) as error:
            raise TemplateError(f"template line {line}: the variable {name} has no text: {error}") from None
        return escaped(text) if escape else text

    return write


def _missing(name: str, line: int, *, null: bool) -> TemplateError:
    what = "is null" if null else "does not exist"
    shown = name[:_MAX_SHOWN]
    hint = "{{% is not a tag: write {{" if name.startswith("%") else f"a section {{{{# {shown} }}}} may be absent"
    return TemplateError(f"template line {line}: the variable {shown} {what} ({hint})")


def _section(part: Section, in_section: bool) -> Write:
    find = finder(part.name, in_section=in_section)
    if part.inverted:
        otherwise = _sequence(part.content, in_section=in_section)
        return lambda scope: otherwise(scope) if _nothing(find(scope)) else ""
    content = _sequence(part.content, in_section=True)

    def write(scope: Any) -> str:
        found = find(scope)
        if isinstance(found, AvroValue):
            found = found.value
        if _nothing(found):
            return ""
        context = scope if in_section else Context(scope)
        if isinstance(found, list | tuple):
            count = len(found)
            items = [Context(item, context, index, index == count) for index, item in enumerate(found, 1)]
            return "".join([content(item) for item in items])
        return content(context if found is True else Context(found, context))

    return write


def _nothing(found: Any) -> bool:
    return found is None or found is MISSING or found is False or (isinstance(found, list | tuple) and not found)
