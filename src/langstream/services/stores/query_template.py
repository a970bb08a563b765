"""Queries written as JSON with `?` for the parameters.

The template is taken apart before any value is known, so a value can never become syntax, and a `?` inside a value
means nothing. A `?` outside of quotes stands for a whole JSON value: `{"filter": {"name": ?}}`.

A `?` inside a text is a character like any other, unless there are as many parameters as there are `?` in the whole
template. Then it stands for a number, a truth value or a list written into the text, which some stores need
(`"{!knn f=vector topK=10}?"`). Texts and objects are refused there: they could be read as part of the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

import orjson

from langstream.configuration.model import Configuration
from langstream.configuration.validation import check
from langstream.errors import ServiceError

_TOKEN: Final = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")(?P<name>\s*:)?|\?', re.DOTALL)
_MARK: Final = "\u0001?"  # cannot stand in JSON text unescaped, so no template has it by accident

_Parameters: TypeAlias = Sequence[Any]

Options = TypeVar("Options", bound=Configuration)


class QueryTemplate:
    """A template taken apart. Raises ServiceError (refused) where it is no JSON."""

    def __init__(self, text: str) -> None:
        self._bare: list[int] = []  # of all `?` in order, those outside of texts
        self._inside = 0
        marked = _TOKEN.sub(self._numbered, text)
        try:
            self._content = orjson.loads(marked)
        except ValueError as error:
            reason = re.sub(r": line \d+ column \d+.*", "", str(error))
            raise ServiceError(f"the query is not valid JSON ({reason}): {text}", category="refused") from None
        self._text = text
        self._total = len(self._bare) + self._inside

    def _numbered(self, match: re.Match[str]) -> str:
        number = len(self._bare) + self._inside
        text = match["text"]
        if text is None:
            self._bare.append(number)
            return f'"\\u0001?{number}"'
        count = 0 if match["name"] else _marks(text)
        self._inside += count
        return f'"\\u0001?{number}:{text[1:]}' if count else match.group()

    def bind(self, parameters: _Parameters) -> Any:
        """The query with the parameters as values. Further parameters than there are `?` are ignored.

        Raises ServiceError (refused) for too few parameters, and for a text that would have to go inside a text.
        """
        given = len(parameters)
        whole = len(self._bare)
        if self._inside and whole < given:
            if given < self._total:
                raise self._wrong(f"{whole} or {self._total}", given)
            places = {number: number for number in range(self._total)}
        else:
            places = {number: index for index, number in enumerate(self._bare)}
            if given < whole:
                raise self._wrong(str(whole), given)
        return _bound(self._content, places, parameters)

    def _wrong(self, needed: str, given: int) -> ServiceError:
        return ServiceError(
            f"the query needs {needed} parameters, {given} were given: {self._text}", category="refused"
        )


def _marks(text: str) -> int:
    """How many `?` a JSON text has, escaped ones (`\\u003f`) too."""
    try:
        return str(orjson.loads(text)).count("?")
    except ValueError:
        return 0  # parsing the whole template will tell


def _bound(content: Any, places: Mapping[int, int], parameters: _Parameters) -> Any:
    if isinstance(content, str):
        return _bound_text(content, places, parameters)
    if isinstance(content, list):
        return [_bound(item, places, parameters) for item in content]
    if isinstance(content, dict):
        return {_name(name): _bound(item, places, parameters) for name, item in content.items()}
    return content


def _bound_text(text: str, places: Mapping[int, int], parameters: _Parameters) -> Any:
    if not text.startswith(_MARK):
        return text
    number, inside, rest = text[len(_MARK) :].partition(":")
    first = int(number)
    if not inside:
        return parameters[places[first]]
    if first not in places:
        return rest
    pieces = rest.split("?")
    written = [_inside(parameters[places[first + index]]) for index in range(len(pieces) - 1)]
    return "".join(piece + value for piece, value in zip(pieces, [*written, ""], strict=True))


def _name(name: str) -> str:
    if name.startswith(_MARK):
        raise ServiceError("the query has a `?` in place of a name; parameters can only be values", category="refused")
    return name


def _inside(value: Any) -> str:
    """A parameter written into a text: numbers, truth values and lists of them only."""
    if isinstance(value, bool | int | float) or (isinstance(value, list | tuple) and all(map(_is_number, value))):
        return orjson.dumps(value).decode()
    raise ServiceError(
        f"the query has a `?` inside a text, where only a number or a list of numbers may go, not a "
        f'{type(value).__name__}. Without quotes (`"name": ?`) it takes any value',
        category="refused",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@lru_cache(maxsize=256)
def template(text: str) -> QueryTemplate:
    """The template of a text, taken apart once."""
    return QueryTemplate(text)


def bound(text: str, parameters: _Parameters) -> dict[str, Any]:
    """The query as an object. Raises ServiceError (refused) where it is something else."""
    query = template(text).bind(parameters)
    if not isinstance(query, dict):
        raise ServiceError(f"the query must be a JSON object: {text}", category="refused")
    return query


def options(model: type[Options], query: Mapping[str, Any], store: str) -> Options:
    """The query's members as the option model of the store. Raises ServiceError (refused) with every complaint."""
    checked, problems = check(model, query, subject=f"the query to {store}")
    if checked is None:
        raise ServiceError("; ".join(str(problem) for problem in problems), category="refused")
    return checked
