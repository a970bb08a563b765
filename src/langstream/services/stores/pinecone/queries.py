"""Queries and statements to Pinecone: their members, checked before they are sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from langstream.configuration.model import Configuration


class _Camel(Configuration):
    model_config = ConfigDict(alias_generator=None)


class SparseVector(_Camel):
    """The entries of a sparse vector that are not zero."""

    indices: list[int]
    values: list[float]


class Query(_Camel):
    """A search by vector, or by the vector of an `id`; or with `ids`, those vectors themselves."""

    namespace: str | None = None
    vector: list[float] | None = None
    id: str | None = None
    ids: list[str] | None = None
    sparseVector: SparseVector | None = None  # noqa: N815
    filter: dict[str, Any] | None = None
    topK: Annotated[int, Field(ge=1, le=10_000)] = 1  # noqa: N815
    includeMetadata: bool = True  # noqa: N815
    includeValues: bool = False  # noqa: N815

    @model_validator(mode="after")
    def _about_something(self) -> Query:
        if not (self.vector or self.sparseVector or self.id or self.ids is not None):
            raise ValueError("vector, sparseVector, id or ids is needed")
        return self

    def body(self) -> dict[str, Any]:
        """What is sent."""
        return self.model_dump(exclude_none=True, exclude={"ids"})


class Statement(_Camel):
    """A statement that changes vectors."""

    action: Literal["upsert", "update", "delete"]
    namespace: str | None = None
    vectors: list[dict[str, Any]] | None = None
    id: str | None = None
    values: list[float] | None = None
    setMetadata: dict[str, Any] | None = None  # noqa: N815
    ids: list[str] | None = None
    filter: dict[str, Any] | None = None
    deleteAll: bool | None = None  # noqa: N815

    @model_validator(mode="after")
    def _complete(self) -> Statement:
        needed = {
            "upsert": self.vectors,
            "update": self.id and (self.values or self.setMetadata),
            "delete": self.ids or self.filter or self.deleteAll,
        }
        if not needed[self.action]:
            words = {
                "upsert": "vectors",
                "update": "id, and values or setMetadata",
                "delete": "ids, filter or deleteAll",
            }
            raise ValueError(f"{self.action} needs {words[self.action]}")
        return self

    def body(self) -> dict[str, Any]:
        """What is sent."""
        return self.model_dump(exclude_none=True, exclude={"action"})
