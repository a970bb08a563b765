"""Qdrant, by its REST interface."""

from __future__ import annotations

from langstream.services.stores.contract import AssetType, StoreType
from langstream.services.stores.qdrant.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.qdrant.configuration import QdrantConfiguration, QdrantSinkConfiguration
from langstream.services.stores.qdrant.store import QdrantStore

STORE = StoreType(
    service="qdrant",
    resource_types=("vector-database", "datasource"),
    configuration=QdrantConfiguration,
    sink_configuration=QdrantSinkConfiguration,
    connect=QdrantStore,
    summary="Qdrant, a server or its cloud.",
)

COLLECTION = AssetType(
    name="qdrant-collection",
    configuration=CollectionConfiguration,
    services=("qdrant",),
    manage=CollectionAsset,
    summary="A collection of Qdrant.",
)

__all__ = ["COLLECTION", "STORE"]
