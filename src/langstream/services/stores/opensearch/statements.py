"""Statements that change documents, written as JSON with an `action`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from langstream.configuration.model import Configuration
from langstream.services.stores.http import StoreClient, segment
from langstream.services.stores.opensearch.configuration import Refresh

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "index": ("document",),
    "update": ("id", "document"),
    "delete": ("id",),
    "update-by-query": ("query", "script"),
    "delete-by-query": ("query",),
}


class Statement(Configuration):
    """`index` puts a whole document, `update` changes members of one, the others delete or change what is found."""

    action: Literal["index", "update", "delete", "update-by-query", "delete-by-query"]
    id: Annotated[Any, Field(description="Of the document.")] = None
    document: dict[str, Any] | None = None
    query: dict[str, Any] | None = None
    script: dict[str, Any] | str | None = None
    refresh: Refresh | None = None

    @model_validator(mode="after")
    def _complete(self) -> Statement:
        missing = [name for name in _NEEDED[self.action] if getattr(self, name) in (None, "")]
        if missing:
            raise ValueError(f"the action {self.action} needs {' and '.join(missing)}")
        return self

    async def run(self, client: StoreClient, path: str) -> dict[str, Any]:
        """`{"count": documents changed}`, with the `id` of the one that was put or changed."""
        query = {"refresh": self.refresh}
        if self.action == "index":
            return await self._index(client, path, query)
        if self.action == "update":
            body = {"doc": self.document}
            await client.ask("POST", f"{path}/_update/{segment(self.id)}", body, query=query)
            return {"count": 1, "id": str(self.id)}
        if self.action == "delete":
            reply = await client.ask("DELETE", f"{path}/_doc/{segment(self.id)}", query=query, expected=(200, 404))
            return {"count": 1 if reply.status == 200 else 0}
        return await self._by_query(client, path)

    async def _index(self, client: StoreClient, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        if self.id is None:  # sent once only: a second one would make a second document
            answer = await client.post(f"{path}/_doc", self.document, query, repeat=False)
        else:
            answer = (await client.ask("PUT", f"{path}/_doc/{segment(self.id)}", self.document, query=query)).json()
        return {"count": 1, "id": answer["_id"]}

    async def _by_query(self, client: StoreClient, path: str) -> dict[str, Any]:
        refresh = None if self.refresh is None else "false" if self.refresh == "false" else "true"
        body: dict[str, Any] = {"query": self.query}
        if self.action == "delete-by-query":
            answer = await client.post(f"{path}/_delete_by_query", body, {"refresh": refresh, "conflicts": "proceed"})
            return {"count": answer["deleted"]}
        script = {"source": self.script} if isinstance(self.script, str) else self.script
        answer = await client.post(
            f"{path}/_update_by_query", body | {"script": script}, {"refresh": refresh}, repeat=False
        )
        return {"count": answer["updated"]}
