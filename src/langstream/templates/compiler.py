"""Template → closure. The text is read once; rendering joins the texts of the parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from langstream.records import AvroValue
from langstream.templates.contexts import MISSING, Context, look_up, root, step
from langstream.templates.errors import TemplateError
from langstream.templates.parser import Part, Section, Text, Variable, parse
from langstream.templates.values import escaped, printed

Write: TypeAlias = Callable[[Context], str]

_LEGACY_OPENING: Final = "{{%"
_MAX_SHOWN: Final = 80


def compile_template(text: str, *, legacy: bool = False) -> Callable[[Any], str]:
    """The template as a function of a record (or of a mapping with the names it uses).

    `legacy` reads `{{%` as `{{`, for chat messages and embeddings of old files. Raises TemplateSyntaxError; the
    function raises TemplateError for a variable that is missing or null.
    """
    if legacy:
        text = text.replace(_LEGACY_OPENING, "{{")
    write = _sequence(parse(text), in_section=False)

    def template(scope: Any) -> str:
        return write(Context(scope))

    return template


def _sequence(parts: tuple[Part, ...], *, in_section: bool) -> Write:
    writers = [_part(part, in_section) for part in parts]
    if not writers:
        return lambda _context: ""
    if len(writers) == 1:
        return writers[0]
    return lambda context: "".join([write(context) for write in writers])


def _part(part: Part, in_section: bool) -> Write:
    match part:
        case Text():
            text = part.text
            return lambda _context: text
        case Variable():
            return _variable(part, in_section)
        case Section():
            return _section(part, in_section)


def _finder(name: str, in_section: bool) -> Callable[[Context], Any]:
    parts = _parts(name)
    if in_section or not parts[0].isidentifier():
        return lambda context: look_up(context, name, parts)
    first, rest = parts[0], parts[1:]

    def find(context: Context) -> Any:
        found = root(context.item, first)
        for part in rest:
            if type(found) is dict:
                found = found.get(part, MISSING)
            elif found is None or found is MISSING:
                return MISSING
            else:
                found = step(found, part)
        return found

    return find


def _parts(name: str) -> tuple[str, ...]:
    return (name,) if name == "." else tuple(part.strip() for part in name.split("."))


def _variable(part: Variable, in_section: bool) -> Write:
    find, name, line = _finder(part.name, in_section), part.name, part.line
    escape = part.escaped

    def write(context: Context) -> str:
        found = find(context)
        if found is None or found is MISSING:
            raise _missing(name, line, null=found is None)
        if context.outer is None and found is context.item:
            raise TemplateError(f"template line {line}: there is no current item outside of a section ({name})")
        text = printed(found)
        return escaped(text) if escape else text

    return write


def _missing(name: str, line: int, *, null: bool) -> TemplateError:
    what = "is null" if null else "does not exist"
    shown = name[:_MAX_SHOWN]
    hint = " ({{% is not a tag: write {{)" if name.startswith("%") else ""
    return TemplateError(
        f"template line {line}: the variable {shown} {what}{hint}; a section {{{{# {shown} }}}} may be absent, a variable "
        "may not"
    )


def _section(part: Section, in_section: bool) -> Write:
    find = _finder(part.name, in_section)
    content = _sequence(part.content, in_section=True)
    if part.inverted:
        plain = _sequence(part.content, in_section=in_section)
        return lambda context: plain(context) if _nothing(find(context)) else ""

    def write(context: Context) -> str:
        found = find(context)
        if isinstance(found, AvroValue):
            found = found.value
        if isinstance(found, list | tuple):
            count = len(found)
            return "".join(
                [content(Context(item, context, index, index == count)) for index, item in enumerate(found, 1)]
            )
        if _nothing(found):
            return ""
        return content(context if found is True else Context(found, context))

    return write


def _nothing(found: Any) -> bool:
    return found is None or found is MISSING or found is False or (isinstance(found, list | tuple) and not found)
