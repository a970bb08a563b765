"""The notation of the original's Cassandra sink: `id=key.id, "Title"=value.title, at=now()`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Members
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from uuid import uuid1

from langstream.errors import RecordError

_NAME: Final = r'"(?:[^"]|"")+"|[^\s=,."]+'
_PAIR: Final = re.compile(
    rf"\s*(?P<column>{_NAME})\s*=\s*(?:(?P<now>now\(\))|(?P<part>value|key|header)(?:\.(?P<field>{_NAME}))?)\s*(?:,|$)"
)
TTL: Final = "__ttl"
TIMESTAMP: Final = "__timestamp"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A column, and where its value comes from. `column` is the name as the table has it."""

    column: str
    part: str
    field: str | None

    def reader(self) -> Callable[[Any], Any]:
        """A function of the working record. A field that is not there is a RecordError."""
        if self.part == "now":
            return lambda _: uuid1()
        if self.part == "header":
            return self._header()
        return self._member()

    def _header(self) -> Callable[[Any], Any]:
        def read(scope: Any) -> Any:
            if self.field in scope.properties:
                return scope.properties[self.field]
            raise self._missing()

        return read

    def _member(self) -> Callable[[Any], Any]:
        part, field = self.part, self.field

        def read(scope: Any) -> Any:
            content = scope.value if part == "value" else scope.key
            if field is None:
                return content
            if isinstance(content, Members) and field in content:
                return content[field]
            raise self._missing()

        return read

    def _missing(self) -> RecordError:
        source = f"{self.part}.{self.field}"
        return RecordError(f"Required field '{source}' (mapped to column {self.column}) missing from the record")


@lru_cache(maxsize=256)
def parsed(text: str) -> Sequence[Mapping]:
    """The mapping taken apart. Raises ValueError where it is none."""
    found: dict[str, Mapping] = {}
    place = 0
    while place < len(text.rstrip().rstrip(",")):
        match = _PAIR.match(text, place)
        if match is None:
            raise ValueError(
                f"mapping: expected column=source, with a source like value.field, at '{text[place:][:40]}'"
            )
        column = name(match["column"])
        if column in found:
            raise ValueError(f"mapping: column {column} stands there more than once")
        field = match["field"]
        if match["part"] == "header" and field is None:
            raise ValueError(f"mapping: header needs a name, as in {column}=header.name")
        found[column] = Mapping(column, match["part"] or "now", _unquoted(field) if field else None)
        place = match.end()
    if not found:
        raise ValueError("mapping: there is no column in it")
    return tuple(found.values())


def name(text: str) -> str:
    """A name of CQL as the schema has it: small letters unless in quotes."""
    return _unquoted(text) if text.startswith('"') else text.lower()


def quoted(name: str) -> str:
    """A name of the schema as CQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
