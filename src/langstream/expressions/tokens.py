"""Expression text → tokens, each with the column where it starts (counted from 1)."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from langstream.expressions.errors import ExpressionSyntaxError

NUMBER, STRING, NAME, WORD, SIGN, END = "number", "string", "name", "word", "sign", "end"

OPERATOR_WORDS: Final = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "gt": ">",
    "le": "<=",
    "ge": ">=",
    "div": "/",
    "mod": "%",
    "empty": "empty",
}
"""Words that are operators, with the sign that means the same."""

LITERAL_WORDS: Final = {"true": True, "false": False, "null": None}

_RESERVED: Final = """
    abstract assert boolean break byte case catch char class const continue default do double else enum extends final
    finally float for goto if implements import instanceof int interface long native new package private protected
    public return short static strictfp super switch synchronized this throw throws transient try void volatile while
"""
RESERVED_WORDS: Final = frozenset(_RESERVED.split())
"""Words that cannot be names. As in the original these are the keywords of Java."""

_SIGNS: Final = ("&&", "||", "==", "!=", "<=", ">=", "+=", "->", *"+-*/%<>=!?:;,.()[]{}")
_SPACE: Final = re.compile(r"\s*")
_NUMBER: Final = re.compile(r"(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?")
_NAME: Final = re.compile(r"(?:[^\W\d]|\$)(?:\w|\$)*")
_MAX_DIGITS: Final = 1000


class Token(NamedTuple):
    """One token. `text` is the operator's sign, the name or the source text; `value` that of a literal."""

    kind: str
    text: str
    column: int
    value: Any = None


def tokenize(text: str) -> list[Token]:
    """All tokens of an expression, the last one of kind `end`. Raises ExpressionSyntaxError."""
    tokens: list[Token] = []
    position = _skip_space(text, 0)
    while position < len(text):
        token, end = _next_token(text, position)
        tokens.append(token)
        position = _skip_space(text, end)
    tokens.append(Token(END, "", len(text) + 1))
    return tokens


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    assert found is not None
    return found.end()


def _next_token(text: str, position: int) -> tuple[Token, int]:
    char = text[position]
    if text.startswith(("${", "#{"), position):
        raise ExpressionSyntaxError(f"an expression is written without {char}{{ }}", column=position + 1)
    if char in "'\"":
        return _string(text, position)
    number = _NUMBER.match(text, position)
    if number:
        return _number(text, number), number.end()
    name = _NAME.match(text, position)
    if name:
        return _word(name.group(), position + 1), name.end()
    for sign in _SIGNS:
        if text.startswith(sign, position):
            return Token(SIGN, sign, position + 1), position + len(sign)
    raise ExpressionSyntaxError(_unexpected(text, position), column=position + 1)


def _unexpected(text: str, position: int) -> str:
    char = text[position]
    advice = {"&": "; and is written &&", "|": "; or is written ||", "#": "; there are no comments in expressions"}
    return f"{char!r} does not belong into an expression{advice.get(char, '')}"


def _string(text: str, start: int) -> tuple[Token, int]:
    quote = text[start]
    characters: list[str] = []
    position = start + 1
    while position < len(text):
        char = text[position]
        if char == quote:
            return Token(STRING, text[start : position + 1], start + 1, "".join(characters)), position + 1
        if char == "\\":
            position += 1
            char = text[position : position + 1]
            if char not in ("\\", "'", '"'):
                raise ExpressionSyntaxError(
                    f"\\{char} is not an escape: only \\\\, \\' and \\\" are (line breaks and tabs may stand in a text "
                    "as they are)",
                    column=position,
                )
        characters.append(char)
        position += 1
    raise ExpressionSyntaxError(f"the text that starts here has no closing {quote}", column=start + 1)


def _number(text: str, found: re.Match[str]) -> Token:
    end = found.end()
    follower = text[end : end + 1]
    if follower.isalnum() or follower == "_" or (follower == "." and _NUMBER.match(text, end)):
        rest = re.compile(r"[\w.]*").match(text, end)
        assert rest is not None
        raise ExpressionSyntaxError(
            f"{found.group() + rest.group()} is not a number: numbers have no suffix, no 0x and no _",
            column=found.start() + 1,
        )
    return Token(NUMBER, found.group(), found.start() + 1, _number_value(found))


def _number_value(found: re.Match[str]) -> int | float | Decimal:
    digits = found.group()
    if len(digits) > _MAX_DIGITS:
        raise ExpressionSyntaxError(f"a number may have {_MAX_DIGITS} digits", column=found.start() + 1)
    if digits.isdigit():
        return int(digits)
    number = float(digits)
    if number not in (float("inf"), 0.0):
        return number
    try:
        exact = Decimal(digits)  # beyond the range of doubles, or zero
    except InvalidOperation:
        raise ExpressionSyntaxError(f"{digits} is beyond all numbers", column=found.start() + 1) from None
    return exact or number


def _word(word: str, column: int) -> Token:
    if word in OPERATOR_WORDS:
        return Token(SIGN, OPERATOR_WORDS[word], column, word)
    if word in LITERAL_WORDS:
        return Token(WORD, word, column, LITERAL_WORDS[word])
    if word in RESERVED_WORDS:
        return Token(WORD, word, column, word)
    return Token(NAME, word, column)
