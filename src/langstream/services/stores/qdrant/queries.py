"""Queries and statements to Qdrant: their members, checked before they are sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from langstream.configuration.model import Configuration


class Query(Configuration):
    """A search by `vector` (or by any `query` of Qdrant's), the points of `ids`, or those that a `filter` finds."""

    collection_name: Annotated[str, Field(min_length=1)]
    vector: list[float] | None = None
    query: Any = None
    ids: list[Any] | None = None
    filter: dict[str, Any] | None = None
    limit: Annotated[int, Field(ge=1)] = 10
    offset: int | None = None
    using: str | None = None
    params: dict[str, Any] | None = None
    score_threshold: float | None = None
    with_payload: bool | list[str] | dict[str, Any] = True
    with_vector: bool | list[str] = False

    def what(self) -> Any:
        """What neighbours are searched of; None for none."""
        return self.vector if self.query is None else self.query

    def search(self) -> dict[str, Any]:
        """The body of a search."""
        more = {name: getattr(self, name) for name in ("filter", "offset", "using", "params", "score_threshold")}
        return {"query": self.what(), "limit": self.limit, **self.shown(), **_said(more)}

    def shown(self) -> dict[str, Any]:
        """What of a point is asked for."""
        return {"with_payload": self.with_payload, "with_vector": self.with_vector}


class Statement(Configuration):
    """A statement that changes points."""

    collection_name: Annotated[str, Field(min_length=1)]
    action: Literal["upsert", "delete", "set-payload"]
    points: list[dict[str, Any]] | None = None
    ids: list[Any] | None = None
    filter: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Statement:
        chosen = self.ids is not None or self.filter
        if self.action == "upsert" and not self.points:
            raise ValueError("upsert needs points")
        if self.action != "upsert" and not chosen:
            raise ValueError(f"{self.action} needs ids or filter")
        if self.action == "set-payload" and not self.payload:
            raise ValueError("set-payload needs payload")
        return self


def _said(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
