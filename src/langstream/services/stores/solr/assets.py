"""The asset type `solr-collection`: made by requests to Solr's own interfaces."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import BeforeValidator, Field, field_validator

from langstream.configuration.model import Configuration, Kind
from langstream.errors import ServiceError
from langstream.services.stores.contract import AssetManager
from langstream.services.stores.http import StoreClient
from langstream.services.stores.solr.store import SolrStore

COLLECTIONS, SCHEMA = "/api/collections", "/schema"


def _as_text(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict) else value


class Statement(Configuration):
    """One request."""

    api: Annotated[
        Literal["/api/collections", "/schema"],
        Field(description="`/api/collections` of the server, or `/schema` of the collection."),
    ]
    method: Annotated[Literal["GET", "POST", "PUT", "DELETE"], Field(description="HTTP method.")] = "POST"
    body: Annotated[
        str, BeforeValidator(_as_text), Field(description="JSON; the braces around it may be left out.")
    ] = ""

    @field_validator("body")
    @classmethod
    def _is_json(cls, text: str) -> str:
        try:
            orjson.loads(whole(text))
        except ValueError as error:
            raise ValueError(f"it is not valid JSON: {error}") from None
        return text


class CollectionConfiguration(Configuration):
    """How the collection of the resource is made."""

    datasource: Annotated[
        str,
        Kind("resource", of=("datasource", "vector-database")),
        Field(description="Resource of the server; the collection is the one named there."),
    ]
    create_statements: Annotated[
        list[Statement], Field(min_length=1, description="Requests, made in order when it does not exist.")
    ]


class CollectionAsset(AssetManager):
    """Creates and deletes the collection. One that could not be made to the end is removed again."""

    def __init__(self, configuration: CollectionConfiguration, store: SolrStore) -> None:
        self._statements = configuration.create_statements
        self._store = store

    @property
    def _client(self) -> StoreClient:
        return self._store.client

    async def exists(self) -> bool:
        answer = await self._client.get("/solr/admin/collections", {"action": "LIST", "wt": "json"})
        return self._store.collection in (answer.get("collections") or ())

    async def create(self) -> None:
        for number, statement in enumerate(self._statements, 1):
            try:
                await self._run(statement)
            except ServiceError as error:
                await self.delete()
                raise ServiceError(
                    f"create statement {number} of collection {self._store.collection}: {error}",
                    category=error.category,
                ) from error
        if not await self.exists():
            raise ServiceError(
                f"the create statements did not create the collection {self._store.collection}", category="refused"
            )

    async def delete(self) -> None:
        if await self.exists():
            query = {"action": "DELETE", "name": self._store.collection, "wt": "json"}
            await self._client.ask("POST", "/solr/admin/collections", query=query, repeat=False)

    async def _run(self, statement: Statement) -> None:
        path = statement.api if statement.api == COLLECTIONS else self._store.path + SCHEMA
        body = whole(statement.body).encode() if statement.method != "GET" else None
        reply = await self._client.ask(statement.method, path, body, expected=(200,), repeat=False)
        answer = reply.json()
        errors = answer.get("errors") or answer.get("errorMessages") if isinstance(answer, dict) else None
        if errors:
            raise ServiceError(f"Solr refused it: {orjson.dumps(errors).decode()}", category="refused")


def whole(body: str) -> str:
    """The body with its braces."""
    text = body.strip()
    return text if text.startswith("{") else "{" + text + "}"
