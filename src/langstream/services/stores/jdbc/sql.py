"""SQL text: tokens, positional parameters and the few words that differ between databases.

Nothing inside string literals, quoted identifiers or comments is ever touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

_TOKEN: Final = re.compile(
    r"(?P<opaque>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<escaped>\?\?)|(?P<mark>\?)|(?P<other>.)",
    re.DOTALL,
)

# MySQL's texts may have backslashes before quotes, and stand in double quotes.
_MYSQL_TOKEN: Final = re.compile(
    r"(?P<opaque>'(?:[^'\\]|''|\\.)*'|\"(?:[^\"\\]|\"\"|\\.)*\"|`[^`]*`|--\s[^\n]*|#[^\n]*|/\*.*?\*/)"
    r"|(?P<escaped>\?\?)|(?P<mark>\?)|(?P<other>.)",
    re.DOTALL,
)


def numbered(statement: str) -> str:
    """`?` → `$1`, `$2` …; `??` (an escaped operator) → `?`."""
    count = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal count
        if match.lastgroup == "mark":
            count += 1
            return f"${count}"
        return "?" if match.lastgroup == "escaped" else match.group()

    return _TOKEN.sub(replaced, statement)


def formatted(statement: str) -> tuple[str, int]:
    """`?` → `%s`, and how many there are; `%` → `%%`, `??` (an escaped operator) → `?`."""
    count = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal count
        if match.lastgroup == "mark":
            count += 1
            return "%s"
        return "?" if match.lastgroup == "escaped" else match.group().replace("%", "%%")

    return _MYSQL_TOKEN.sub(replaced, statement), count


def parameter_count(statement: str) -> int:
    """How many `?` stand for parameters."""
    return sum(match.lastgroup == "mark" for match in _TOKEN.finditer(statement))


@lru_cache(maxsize=256)
def for_sqlite(statement: str) -> str:
    """HerdDB's words in SQLite's: types, auto-increment, `CAST(x AS FLOAT ARRAY)`, vector functions."""
    statement = _float_array_casts(statement, "float_array({})")
    statement = _calls(statement, "cosine_similarity", "(1.0 - vec_distance_cosine({}))")
    statement = _calls(statement, "euclidean_distance", "vec_distance_L2({})")
    if _is_definition(statement):
        statement = _AUTO_INCREMENT.sub(r"INTEGER PRIMARY KEY AUTOINCREMENT", statement)
        statement = _words(statement, {"string": "TEXT", "long": "INTEGER", "auto_increment": ""}.get)
        statement = _words(statement, lambda word: "INTEGER" if word == "int" else None)
    return statement


@lru_cache(maxsize=256)
def for_duckdb(statement: str) -> str:
    """HerdDB's words in DuckDB's."""
    statement = _float_array_casts(statement, "CAST({} AS FLOAT[])")
    names = {
        "cosine_similarity": "list_cosine_similarity",
        "dot_product": "list_dot_product",
        "euclidean_distance": "list_distance",
    }
    statement = _words(statement, names.get)
    if _is_definition(statement):
        statement = _words(statement, {"floata": "FLOAT[]", "string": "VARCHAR", "long": "BIGINT"}.get)
    return statement


_AUTO_INCREMENT: Final = re.compile(
    r"\b(?:int|integer|long|bigint)\s+(?:auto_increment\s+primary\s+key|primary\s+key\s+auto_increment)\b",
    re.IGNORECASE,
)


def _is_definition(statement: str) -> bool:
    return re.match(r"\s*(create|alter)\b", statement, re.IGNORECASE) is not None


def _words(statement: str, replacement: Callable[[str], str | None]) -> str:
    """Replace whole words outside of literals; None keeps the word."""

    def replaced(match: re.Match[str]) -> str:
        word = match.group()
        if match.lastgroup != "word":
            return word
        other = replacement(word.lower())
        return word if other is None else other

    return _TOKEN.sub(replaced, statement)


def _float_array_casts(statement: str, form: str) -> str:
    pattern = re.compile(r"(.*)\s+as\s+float\s+array\s*", re.IGNORECASE | re.DOTALL)

    def rewritten(arguments: str) -> str | None:
        match = pattern.fullmatch(arguments)
        return form.format(match.group(1).strip()) if match else None

    return _rewrite_calls(statement, "cast", rewritten)


def _calls(statement: str, name: str, form: str) -> str:
    return _rewrite_calls(statement, name, lambda arguments: form.format(arguments))


def _rewrite_calls(statement: str, name: str, rewritten: Callable[[str], str | None]) -> str:
    """Replace every call `name(arguments)`, innermost ones too; None keeps the call."""
    tokens = list(_TOKEN.finditer(statement))
    out: list[str] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        opening = _next_solid(tokens, index + 1)
        if (
            token.lastgroup == "word"
            and token.group().lower() == name
            and opening is not None
            and tokens[opening].group() == "("
        ):
            closing = _closing(tokens, opening)
            if closing is not None:
                inner = statement[tokens[opening].end() : tokens[closing].start()]
                arguments = _rewrite_calls(inner, name, rewritten)
                out.append(rewritten(arguments) or f"{token.group()}({arguments})")
                index = closing + 1
                continue
        out.append(token.group())
        index += 1
    return "".join(out)


def _next_solid(tokens: Sequence[re.Match[str]], index: int) -> int | None:
    return next((i for i in range(index, len(tokens)) if not tokens[i].group().isspace()), None)


def _closing(tokens: Sequence[re.Match[str]], opening: int) -> int | None:
    depth = 0
    for index in range(opening, len(tokens)):
        text = tokens[index].group() if tokens[index].lastgroup == "other" else ""
        depth += (text == "(") - (text == ")")
        if depth == 0:
            return index
    return None


def statements_of(text: str) -> Iterator[str]:
    """The statements of a script, split at semicolons outside of literals."""
    start = 0
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "other" and token.group() == ";":
            if text[start : token.start()].strip():
                yield text[start : token.start()].strip()
            start = token.end()
    if text[start:].strip():
        yield text[start:].strip()
