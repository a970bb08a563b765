"""The asset type `chroma-collection`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from langstream.configuration.model import Configuration, Kind
from langstream.services.stores.chroma.store import ChromaStore
from langstream.services.stores.contract import AssetManager
from langstream.services.stores.http import segment


class CollectionConfiguration(Configuration):
    """A collection."""

    datasource: Annotated[
        str, Kind("resource", of=("vector-database", "datasource")), Field(description="Resource of the Chroma.")
    ]
    collection_name: Annotated[str, Field(min_length=3, description="Collection.")]
    distance: Annotated[Literal["cosine", "l2", "ip"], Field(description="How vectors are compared.")] = "cosine"
    metadata: Annotated[dict[str, Any] | None, Field(description="Metadata of the collection.")] = None


class CollectionAsset(AssetManager):
    """Creates and deletes the collection."""

    def __init__(self, configuration: CollectionConfiguration, store: ChromaStore) -> None:
        self._configuration = configuration
        self._client = store.client
        self._collections = store.collections
        self._path = f"{store.collections}/{segment(configuration.collection_name)}"

    async def exists(self) -> bool:
        return (await self._client.ask("GET", self._path, expected=(200, 404))).status == 200

    async def create(self) -> None:
        configuration = self._configuration
        body: dict[str, Any] = {
            "name": configuration.collection_name,
            "get_or_create": True,
            "configuration": {"hnsw": {"space": configuration.distance}},
        }
        if configuration.metadata:
            body["metadata"] = configuration.metadata
        await self._client.post(self._collections, body)

    async def delete(self) -> None:
        await self._client.ask("DELETE", self._path, expected=(200, 404))
