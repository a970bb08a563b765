"""Queries to Redis: their members, and replies of commands as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from langstream.configuration.model import Configuration
from langstream.services.stores.contract import Row
from langstream.services.stores.redis.hashes import read


class CommandQuery(Configuration):
    """Any command, as a list of its words."""

    command: Annotated[list[Any], Field(min_length=1)]


class CollectionQuery(Configuration):
    """Rows of a collection: those of the ids, those nearest to a vector, or all that the filter lets through."""

    collection_name: Annotated[str, Field(min_length=1)]
    id: Any = None
    ids: list[Any] | None = None
    vector: list[float] | None = None
    vector_field: str = "vector"
    metric: Literal["cosine", "euclidean", "dot-product"] = "cosine"
    filter: dict[str, Any] = {}  # noqa: RUF012
    limit: Annotated[int, Field(ge=1)] = 10
    output_fields: list[str] | None = None

    def wanted(self) -> list[Any] | None:
        """The ids asked for; None where rows are searched."""
        if self.ids is not None:
            return self.ids
        return None if "id" not in self.model_fields_set else [self.id]


def rows_of(command: Sequence[Any], reply: Any) -> list[Row]:
    """A reply as rows: hashes are rows, everything else stands in a column `value`."""
    name = str(command[0]).upper()
    if reply is None:
        return []
    if name == "HGETALL":
        fields = reply if isinstance(reply, Mapping) else dict(zip(reply[::2], reply[1::2], strict=True))
        return [read(fields)] if fields else []
    if name == "FT.SEARCH" and isinstance(reply, list):
        return [{"id": _text(key), **_found(fields)} for key, fields in zip(reply[1::2], reply[2::2], strict=False)]
    if isinstance(reply, Mapping):
        return [{_text(key): _text(value) for key, value in reply.items()}]
    items = reply if isinstance(reply, list | tuple | set) else [reply]
    return [{"value": _text(item)} for item in items]


def _found(fields: Sequence[bytes]) -> Row:
    return read(dict(zip(fields[::2], fields[1::2], strict=True)))


def plain(reply: Any) -> Any:
    """A reply as JSON can hold it."""
    if isinstance(reply, Mapping):
        return {_text(key): plain(value) for key, value in reply.items()}
    if isinstance(reply, list | tuple | set):
        return [plain(item) for item in reply]
    return _text(reply)


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
