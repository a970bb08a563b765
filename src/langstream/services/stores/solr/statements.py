"""Statements that change documents, written as JSON with an `action`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, model_validator

from langstream.configuration.model import Configuration
from langstream.services.stores.http import StoreClient


class Statement(Configuration):
    """`add` puts documents (with `{"set": …}` in a field it changes that field), `delete` takes ids or a query."""

    action: Literal["add", "delete"]
    documents: Annotated[list[dict[str, Any]] | None, Field(validation_alias=AliasChoices("documents", "document"))] = (
        None
    )
    ids: Annotated[list[Any] | None, Field(validation_alias=AliasChoices("ids", "id"))] = None
    query: str | None = None
    commit_within: int = 1000

    @model_validator(mode="after")
    def _complete(self) -> Statement:
        if self.action == "add" and not self.documents:
            raise ValueError("the action add needs document or documents")
        if self.action == "delete" and (self.ids is None) == (self.query is None):
            raise ValueError("the action delete needs either id (or ids) or query")
        return self

    async def run(self, client: StoreClient, path: str) -> dict[str, Any]:
        """`{"count": documents put or ids deleted}`; empty for a query, because Solr does not count."""
        await client.post(f"{path}/update", self._body(), commit(self.commit_within))
        documents = self.documents if self.action == "add" else self.ids
        return {} if documents is None else {"count": len(documents)}

    def _body(self) -> Any:
        if self.action == "add":
            return self.documents
        return {"delete": {"query": self.query} if self.ids is None else [str(id) for id in self.ids]}


def commit(within: int) -> dict[str, Any]:
    """The parameters that say when a change can be found."""
    return {"commitWithin": within} if within > 0 else {"commit": "true"}
