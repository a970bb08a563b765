"""Queries to Chroma, and records written by sinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from langstream.configuration.model import Configuration
from langstream.errors import ServiceError
from langstream.services.stores.batches import write_by_key
from langstream.services.stores.chroma.configuration import ChromaConfiguration, ChromaSinkConfiguration
from langstream.services.stores.contract import Row, Store, Table, Write
from langstream.services.stores.http import Limits, StoreClient, segment
from langstream.services.stores.query_template import bound, options

RECORDS_PER_CALL: Final = 500


class Query(Configuration):
    """A search by `vector`, the records of `ids`, or those that `where` and `where-document` let through."""

    collection_name: Annotated[str, Field(min_length=1)]
    vector: list[float] | None = None
    ids: list[str] | None = None
    where: dict[str, Any] | None = None
    where_document: dict[str, Any] | None = None
    limit: Annotated[int, Field(ge=1)] = 10
    offset: Annotated[int, Field(ge=0)] = 0
    include_vectors: bool = False

    def body(self) -> dict[str, Any]:
        """What is sent."""
        include = ["metadatas", "documents", *(["embeddings"] if self.include_vectors else [])]
        chosen = {"where": self.where, "where_document": self.where_document, "ids": self.ids}
        said = {name: value for name, value in chosen.items() if value is not None}
        if self.vector is None:
            return {**said, "limit": self.limit, "offset": self.offset, "include": include}
        return {
            **said,
            "query_embeddings": [self.vector],
            "n_results": self.limit,
            "include": [*include, "distances"],
        }


class Statement(Configuration):
    """A statement that deletes records."""

    collection_name: Annotated[str, Field(min_length=1)]
    action: Literal["delete"]
    ids: list[str] | None = None
    where: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Statement:
        if self.ids is None and not self.where:
            raise ValueError("delete needs ids or where")
        return self


class ChromaStore(Store):
    """A database of a Chroma. What a collection is called is looked up once: paths need its id."""

    def __init__(self, configuration: ChromaConfiguration, data_directory: Path | None) -> None:
        token = configuration.token
        self.client = StoreClient(
            "Chroma",
            configuration.url,
            headers={"X-Chroma-Token": token, "Authorization": f"Bearer {token}"} if token else {},
            secrets=(token,) if token else (),
            limits=Limits(answer_seconds=configuration.timeout_seconds),
        )
        tenant, database = segment(configuration.tenant), segment(configuration.database)
        self.collections = f"/api/v2/tenants/{tenant}/databases/{database}/collections"
        self._ids: dict[str, str] = {}

    async def start(self) -> None:
        await self.client.start()

    async def check(self) -> None:
        await self.client.get(self.collections, {"limit": 1})

    async def close(self) -> None:
        await self.client.close()

    async def post(self, name: str, action: str, body: Mapping[str, Any]) -> Any:
        """The answer to an action on a collection."""
        known = name in self._ids
        try:
            return await self.client.post(f"{self.collections}/{await self._id(name)}/{action}", body)
        except ServiceError as error:
            self._ids.pop(name, None)
            if error.category != "not-found" or not known:
                raise
        return await self.client.post(f"{self.collections}/{await self._id(name)}/{action}", body)  # it was made anew

    async def _id(self, name: str) -> str:
        if name not in self._ids:
            found = await self.client.get(f"{self.collections}/{segment(name)}")
            if not isinstance(found, dict) or "id" not in found:
                raise ServiceError(f"Chroma tells no id of the collection {name}", category="malformed")
            self._ids[name] = segment(found["id"])
        return self._ids[name]

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        query = options(Query, bound(statement, parameters), "Chroma")
        action = "get" if query.vector is None else "query"
        answer = await self.post(query.collection_name, action, query.body())
        try:
            return _rows(answer, nested=action == "query")
        except (KeyError, TypeError, IndexError, ValueError):
            raise ServiceError("the answer of Chroma makes no sense", category="malformed") from None

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """`action`: delete by `ids` or `where`."""
        change = options(Statement, bound(statement, parameters), "Chroma")
        chosen = {name: value for name, value in (("ids", change.ids), ("where", change.where)) if value is not None}
        answer = await self.post(change.collection_name, "delete", chosen)
        return {"count": answer["deleted"]} if isinstance(answer, dict) and "deleted" in answer else {}

    def table(self, configuration: ChromaSinkConfiguration) -> Table:
        return ChromaTable(self, configuration)


def _rows(answer: Mapping[str, Any], *, nested: bool) -> list[Row]:
    """Columns as rows; a search has a list of columns for each of its vectors, of which there is one."""
    columns = {
        name: answer[member][0] if nested else answer[member]
        for name, member in (
            ("id", "ids"), ("metadata", "metadatas"), ("document", "documents"), ("distance", "distances"),
            ("vector", "embeddings"),
        )
        if answer.get(member)
    }  # fmt: skip
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [{**(row.pop("metadata", None) or {}), **row} for row in rows]


class ChromaTable(Table):
    """The records of a collection."""

    def __init__(self, store: ChromaStore, configuration: ChromaSinkConfiguration) -> None:
        self._store = store
        self._name = configuration.collection_name

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        return await write_by_key(writes, self._upsert, self._delete, RECORDS_PER_CALL)

    async def _upsert(self, writes: Sequence[Write]) -> None:
        rows = [dict(write.values or {}) for write in writes]
        body = {
            "ids": [str(write.key["id"]) for write in writes],
            "embeddings": [row.pop("vector") for row in rows],
            "documents": [row.pop("document", None) for row in rows],
            "metadatas": [row or None for row in rows],  # nulls inside take away what an earlier record had there
        }
        await self._store.post(self._name, "upsert", body)

    async def _delete(self, writes: Sequence[Write]) -> None:
        await self._store.post(self._name, "delete", {"ids": [str(write.key["id"]) for write in writes]})
