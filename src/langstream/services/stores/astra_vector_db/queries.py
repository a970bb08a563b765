"""Queries and statements of `astra-vector-db`, written as JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import AliasChoices, Field, model_validator

from langstream.configuration.model import Configuration
from langstream.services.stores.astra_vector_db.collection import SPECIAL, DataApi, document, row, vector
from langstream.services.stores.contract import Row


class _Named(Configuration):
    collection_name: str = ""

    @model_validator(mode="after")
    def _has_a_collection(self) -> _Named:
        if not self.collection_name:
            raise ValueError("collection-name is not defined")
        return self


class Search(_Named):
    """The nearest to `vector`, or all documents, as `filter` says."""

    vector: Any = None
    limit: Annotated[int | None, Field(ge=1, validation_alias=AliasChoices("limit", "max"))] = None
    filter: dict[str, Any] | None = None
    select: list[str] | None = None
    sort: dict[str, Any] | None = None
    skip: Annotated[int | None, Field(ge=0)] = None
    include_similarity: bool | None = None

    async def run(self, api: DataApi) -> list[Row]:
        """Rows, from as many pages as it takes."""
        rows: list[Row] = []
        state: str | None = None
        while True:
            answer = await api.ask("find", self._request(state), self.collection_name)
            data = answer.get("data") or {}
            rows.extend(row(found) for found in data.get("documents") or ())
            state = data.get("nextPageState")
            if not state or (self.limit is not None and len(rows) >= self.limit):
                return rows[: self.limit]

    def _request(self, state: str | None) -> dict[str, Any]:
        options: dict[str, Any] = {"limit": self.limit, "skip": self.skip, "pageState": state}
        request: dict[str, Any] = {"filter": self.filter or {}}
        if self.vector is not None:
            request["sort"] = {"$vector": vector(self.vector)}
            options["includeSimilarity"] = self.include_similarity is not False
        elif self.sort:
            request["sort"] = {SPECIAL.get(name, name): order for name, order in self.sort.items()}
        if self.select:
            request["projection"] = {SPECIAL.get(name, name): 1 for name in self.select if name != "similarity"}
        return request | {"options": {name: value for name, value in options.items() if value is not None}}


class Statement(_Named):
    """A change."""

    action: Literal["findOneAndUpdate", "deleteOne", "deleteMany", "insertOne"] = "findOneAndUpdate"
    filter: dict[str, Any] | None = None
    update: dict[str, Any] | None = None
    document: dict[str, Any] | None = None
    return_document: Literal["before", "after"] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Statement:
        if self.action == "findOneAndUpdate" and not (self.filter and self.update):
            raise ValueError("findOneAndUpdate needs filter and update")
        if self.action == "insertOne" and not self.document:
            raise ValueError("insertOne needs document")
        if self.action.startswith("delete") and self.filter is None:
            raise ValueError(f"{self.action} needs filter")
        return self

    async def run(self, api: DataApi) -> dict[str, Any]:
        """`{"count": …}`, or the id of a new document."""
        if self.action == "insertOne":
            return await self._insert(api)
        if self.action == "deleteMany":
            return {"count": await delete_many(api, self.collection_name, self.filter or {})}
        request: dict[str, Any] = {"filter": self.filter}
        if self.action == "findOneAndUpdate":
            request["update"] = self.update
            if self.return_document:
                request["options"] = {"returnDocument": self.return_document}
        answer = await api.ask(self.action, request, self.collection_name)
        status = answer.get("status") or {}
        return {"count": int(status.get("modifiedCount" if "update" in request else "deletedCount") or 0)}

    async def _insert(self, api: DataApi) -> dict[str, Any]:
        made = document(self.document or {})
        made.setdefault("_id", str(uuid4()))  # chosen here, so that sending it twice makes one document
        await api.ask("insertOne", {"document": made}, self.collection_name)
        return {"id": made["_id"]}


async def delete_many(api: DataApi, collection: str, filter: dict[str, Any]) -> int:
    """How many documents there were; -1 if the API does not count, as for all of them."""
    count = 0
    while True:
        status = (await api.ask("deleteMany", {"filter": filter}, collection)).get("status") or {}
        deleted = int(status.get("deletedCount") or 0)
        count = deleted if deleted < 0 else count + deleted
        if not status.get("moreData"):
            return count
