"""The asset type `opensearch-index`."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from pydantic import Field, field_validator

from langstream.configuration.model import Configuration, Kind
from langstream.errors import ServiceError
from langstream.services.stores.contract import AssetManager
from langstream.services.stores.opensearch.store import OpenSearchStore


class IndexConfiguration(Configuration):
    """How the index of the resource is made."""

    datasource: Annotated[
        str,
        Kind("resource", of=("datasource", "vector-database")),
        Field(description="Resource of the server; the index is the one named there."),
    ]
    settings: Annotated[str, Field(description="Settings of the index, as JSON text.")] = ""
    mappings: Annotated[str, Field(description="Mappings of the index, as JSON text.")] = ""

    @field_validator("settings", "mappings")
    @classmethod
    def _is_json(cls, text: str) -> str:
        try:
            content = orjson.loads(text) if text.strip() else {}
        except ValueError as error:
            raise ValueError(f"it is not valid JSON: {error}") from None
        if not isinstance(content, dict):
            raise ValueError("it must be a JSON object")  # noqa: TRY004 — pydantic expects it
        return text

    def body(self) -> dict[str, Any]:
        """The request that makes the index."""
        parts = {"settings": self.settings, "mappings": self.mappings}
        return {name: orjson.loads(text) for name, text in parts.items() if text.strip()}


class IndexAsset(AssetManager):
    """Creates and deletes the index."""

    def __init__(self, configuration: IndexConfiguration, store: OpenSearchStore) -> None:
        self._configuration = configuration
        self._store = store

    async def exists(self) -> bool:
        reply = await self._store.client.ask("HEAD", self._store.path, expected=(200, 404))
        return reply.status == 200

    async def create(self) -> None:
        """Create it; fine where a neighbour did so at the same moment."""
        reply = await self._store.client.ask(
            "PUT", self._store.path, self._configuration.body(), expected=(200, 201, 400)
        )
        answer = reply.json() or {}
        error = answer.get("error") or {}
        if reply.status == 400 and error.get("type") != "resource_already_exists_exception":
            raise ServiceError(f"OpenSearch refused the index: {error.get('reason', answer)}", category="refused")
        if reply.status != 400 and not answer.get("acknowledged"):
            raise ServiceError(f"OpenSearch did not acknowledge the index {self._store.index}")

    async def delete(self) -> None:
        await self._store.client.ask("DELETE", self._store.path, expected=(200, 404))
