"""DataStax Astra by its Data API: collections of JSON documents with vectors."""

from __future__ import annotations

from langstream.services.stores.astra_vector_db.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.astra_vector_db.configuration import (
    AstraVectorDbConfiguration,
    AstraVectorDbSinkConfiguration,
)
from langstream.services.stores.astra_vector_db.store import AstraVectorDbStore
from langstream.services.stores.contract import AssetType, StoreType

STORE = StoreType(
    service="astra-vector-db",
    resource_types=("datasource", "vector-database"),
    configuration=AstraVectorDbConfiguration,
    sink_configuration=AstraVectorDbSinkConfiguration,
    connect=AstraVectorDbStore,
    summary="DataStax Astra by its Data API: collections of JSON documents with vectors.",
)

COLLECTION = AssetType(
    name="astra-collection",
    configuration=CollectionConfiguration,
    services=("astra-vector-db",),
    manage=CollectionAsset,
    summary="A collection of an astra-vector-db resource.",
)

__all__ = ["COLLECTION", "STORE"]
