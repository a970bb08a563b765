"""Queries to Milvus: their members, and values inside filters.

A filter is text in Milvus's own language. Values get into it by name: `"filter": "lang == {lang}"` with
`"filter-params": {"lang": ?}`. Each is written as a literal here, so a value never becomes part of the language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from langstream.configuration.model import Configuration
from langstream.errors import ServiceError

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|\{(?P<name>[\w-]+)\}')


def _object(value: Any) -> Any:
    """Empty text is no object; JSON text is taken for what it says."""
    if isinstance(value, str):
        return orjson.loads(value) if value.strip() else None
    return value


class Filtered(Configuration):
    """What every query has."""

    collection_name: Annotated[str, Field(min_length=1)]
    database_name: str = ""
    filter: str = ""
    filter_params: dict[str, Any] = {}  # noqa: RUF012
    ids: list[Any] | None = None

    def condition(self) -> str:
        """The filter with its values."""
        return with_literals(self.filter, self.filter_params)


class Search(Filtered):
    """A search for the nearest vectors, or without `vectors` for the rows that the filter lets through."""

    vectors: list[float] | None = None
    vector_field_name: str = ""
    output_fields: list[str] | None = None
    limit: Annotated[int, Field(ge=1, validation_alias=AliasChoices("limit", "top-k", "topK"))] = 10
    offset: Annotated[int, Field(ge=0)] = 0
    consistency_level: str | None = None
    params: Annotated[dict[str, Any] | None, BeforeValidator(_object)] = None
    metric_type: str | None = None
    round_decimal: int | None = None
    partition_names: list[str] | None = None

    def more(self) -> dict[str, Any]:
        """What only some queries say."""
        level = self.consistency_level
        said = {"partition_names": self.partition_names, "consistency_level": level.capitalize() if level else None}
        return {name: value for name, value in said.items() if value}


class Statement(Filtered):
    """A statement that changes data."""

    action: Literal["upsert", "insert", "delete"]
    data: dict[str, Any] | list[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Statement:
        if self.action == "delete" and not (self.filter or self.ids):
            raise ValueError("delete needs filter or ids")
        if self.action != "delete" and not self.data:
            raise ValueError(f"{self.action} needs data")
        return self


def with_literals(text: str, values: Mapping[str, Any]) -> str:
    """The filter with each `{name}` outside of its texts replaced by the value, as a literal."""
    if not values:
        return text

    def literal_of(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match.group()
        if name not in values:
            raise ServiceError(f"the filter names {{{name}}}, which is not among filter-params", category="refused")
        return literal(values[name])

    return _TOKEN.sub(literal_of, text)


def literal(value: Any) -> str:
    """A value as Milvus writes it. Raises ServiceError (refused) for one that it cannot write."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, str | bool | int | float):
        return orjson.dumps(value).decode()
    raise ServiceError(f"a filter cannot hold a value of type {type(value).__name__}", category="refused")
