"""Queries to Qdrant, and points written by sinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from langstream.errors import ServiceError
from langstream.services.stores.batches import write_by_key
from langstream.services.stores.contract import Row, Store, Table, Write
from langstream.services.stores.http import Limits, StoreClient, segment
from langstream.services.stores.qdrant.configuration import QdrantConfiguration, QdrantSinkConfiguration
from langstream.services.stores.qdrant.points import id_of, point, point_id, row
from langstream.services.stores.qdrant.queries import Query, Statement
from langstream.services.stores.query_template import bound, options

POINTS_PER_CALL: Final = 500
_AT_ONCE: Final = {"wait": "true"}
"""A change is answered when it can be seen."""


class QdrantStore(Store):
    """A Qdrant."""

    def __init__(self, configuration: QdrantConfiguration, data_directory: Path | None) -> None:
        key = configuration.api_key
        self.client = StoreClient(
            "Qdrant",
            configuration.url,
            headers={"api-key": key} if key else {},
            secrets=(key,) if key else (),
            limits=Limits(answer_seconds=configuration.timeout_seconds),
        )

    async def start(self) -> None:
        await self.client.start()

    async def check(self) -> None:
        await self.client.get("/collections")

    async def close(self) -> None:
        await self.client.close()

    async def query(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        query = options(Query, bound(statement, parameters), "Qdrant")
        points = collection(query.collection_name) + "/points"
        if query.ids is not None:
            body = {"ids": [point_id(id) for id in query.ids], **query.shown()}
            return _rows(await self.client.post(points, body))
        if query.what() is not None:
            return _rows(await self.client.post(points + "/query", query.search()), "points")
        body = {"limit": query.limit, **({"filter": query.filter} if query.filter else {}), **query.shown()}
        return _rows(await self.client.post(points + "/scroll", body), "points")

    async def execute(
        self, statement: str, parameters: Sequence[Any], generated_keys: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        """`action`: upsert `points`, delete or set-payload by `ids` or `filter`."""
        change = options(Statement, bound(statement, parameters), "Qdrant")
        points = collection(change.collection_name) + "/points"
        if change.action == "upsert":
            made = [{**item, "id": point_id(item.get("id"))} for item in change.points or ()]
            await self.client.ask("PUT", points, {"points": made}, query=_AT_ONCE)
            return {"count": len(made)}
        ids = [point_id(id) for id in change.ids or ()]
        chosen: dict[str, Any] = {"points": ids} if change.ids is not None else {"filter": change.filter}
        if change.action == "delete":
            await self.client.post(points + "/delete", chosen, query=_AT_ONCE)
        else:
            await self.client.post(points + "/payload", {"payload": change.payload, **chosen}, query=_AT_ONCE)
        return {"count": len(ids)} if change.ids is not None else {}

    def table(self, configuration: QdrantSinkConfiguration) -> Table:
        return QdrantTable(self.client, configuration)


def collection(name: str) -> str:
    """The path of a collection."""
    return f"/collections/{segment(name)}"


def _rows(answer: Any, member: str | None = None) -> list[Row]:
    try:
        result = answer["result"]
        return [row(found) for found in (result if member is None else result[member])]
    except (KeyError, TypeError):
        raise ServiceError("the answer of Qdrant makes no sense: it has no points", category="malformed") from None


class QdrantTable(Table):
    """The points of a collection."""

    def __init__(self, client: StoreClient, configuration: QdrantSinkConfiguration) -> None:
        self._client = client
        self._configuration = configuration
        self._points = collection(configuration.collection_name) + "/points"

    async def write(self, writes: Sequence[Write]) -> Sequence[Exception | None]:
        return await write_by_key(writes, self._upsert, self._delete, POINTS_PER_CALL)

    async def _upsert(self, writes: Sequence[Write]) -> None:
        field, name = self._configuration.vector_field, self._configuration.vector_name
        points = [point(write.key, write.values or {}, field, name) for write in writes]
        await self._client.ask("PUT", self._points, {"points": points}, query=_AT_ONCE)

    async def _delete(self, writes: Sequence[Write]) -> None:
        body = {"points": [id_of(write.key) for write in writes]}
        await self._client.post(self._points + "/delete", body, query=_AT_ONCE)
