"""The asset type `astra-collection`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langstream.configuration.model import Configuration, Kind
from langstream.services.stores.astra_vector_db.store import AstraVectorDbStore
from langstream.services.stores.contract import AssetManager


class CollectionConfiguration(Configuration):
    """A collection with vectors."""

    datasource: Annotated[
        str,
        Kind("resource", of=("datasource", "vector-database")),
        Field(description="Resource of the database."),
    ]
    collection_name: Annotated[str, Field(min_length=1, description="Collection.")]
    vector_dimension: Annotated[int, Field(ge=1, description="Numbers in a vector.")]
    metric: Annotated[
        Literal["cosine", "euclidean", "dot_product"] | None,
        Field(description="How similarity is measured; cosine if the database is not told."),
    ] = None


class CollectionAsset(AssetManager):
    """Creates and deletes the collection."""

    def __init__(self, configuration: CollectionConfiguration, store: AstraVectorDbStore) -> None:
        self._configuration = configuration
        self._api = store.api

    async def exists(self) -> bool:
        answer = await self._api.ask("findCollections", {})
        return self._configuration.collection_name in ((answer.get("status") or {}).get("collections") or ())

    async def create(self) -> None:
        options = self._configuration
        vector = {"dimension": options.vector_dimension} | ({"metric": options.metric} if options.metric else {})
        await self._api.ask("createCollection", {"name": options.collection_name, "options": {"vector": vector}})

    async def delete(self) -> None:
        if await self.exists():
            await self._api.ask("deleteCollection", {"name": self._configuration.collection_name})
