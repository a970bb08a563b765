"""The asset type `qdrant-collection`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from langstream.configuration.model import Configuration, Kind
from langstream.errors import ServiceError
from langstream.services.stores.contract import AssetManager
from langstream.services.stores.qdrant.store import QdrantStore, collection

_Schema = Literal["keyword", "integer", "float", "bool", "geo", "datetime", "text", "uuid"]


class CollectionConfiguration(Configuration):
    """A collection: of vectors of one kind, or as Qdrant's own `settings` say."""

    datasource: Annotated[
        str, Kind("resource", of=("vector-database", "datasource")), Field(description="Resource of the Qdrant.")
    ]
    collection_name: Annotated[str, Field(min_length=1, description="Collection.")]
    vector_dimension: Annotated[int | None, Field(ge=1, description="How many numbers a vector has.")] = None
    distance: Annotated[
        Literal["Cosine", "Euclid", "Dot", "Manhattan"], Field(description="How vectors are compared.")
    ] = "Cosine"
    settings: Annotated[
        dict[str, Any] | None,
        Field(description="The whole request that creates the collection, in place of the above."),
    ] = None
    payload_indexes: Annotated[
        dict[str, _Schema] | None, Field(description="Fields of the payload to be indexed, and their types.")
    ] = None

    @model_validator(mode="after")
    def _told_how(self) -> CollectionConfiguration:
        if (self.vector_dimension is None) == (self.settings is None):
            raise ValueError("either vector-dimension or settings is required")
        return self


class CollectionAsset(AssetManager):
    """Creates and deletes the collection."""

    def __init__(self, configuration: CollectionConfiguration, store: QdrantStore) -> None:
        self._configuration = configuration
        self._client = store.client
        self._path = collection(configuration.collection_name)

    async def exists(self) -> bool:
        return (await self._client.ask("GET", self._path, expected=(200, 404))).status == 200

    async def create(self) -> None:
        """Create it with its indexes, or not at all."""
        configuration = self._configuration
        vectors = {"vectors": {"size": configuration.vector_dimension, "distance": configuration.distance}}
        await self._client.ask("PUT", self._path, configuration.settings or vectors, expected=(200, 409))
        try:
            for name, schema in (configuration.payload_indexes or {}).items():
                body = {"field_name": name, "field_schema": schema}
                await self._client.ask("PUT", self._path + "/index", body, query={"wait": "true"})
        except ServiceError:
            await self.delete()
            raise

    async def delete(self) -> None:
        await self._client.ask("DELETE", self._path, expected=(200, 404))
