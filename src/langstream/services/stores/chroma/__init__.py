"""Chroma: a server or its cloud, by its REST interface (version 2)."""

from __future__ import annotations

from langstream.services.stores.chroma.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.chroma.configuration import ChromaConfiguration, ChromaSinkConfiguration
from langstream.services.stores.chroma.store import ChromaStore
from langstream.services.stores.contract import AssetType, StoreType

STORE = StoreType(
    service="chroma",
    resource_types=("vector-database", "datasource"),
    configuration=ChromaConfiguration,
    sink_configuration=ChromaSinkConfiguration,
    connect=ChromaStore,
    summary="Chroma, a server or its cloud.",
)

COLLECTION = AssetType(
    name="chroma-collection",
    configuration=CollectionConfiguration,
    services=("chroma",),
    manage=CollectionAsset,
    summary="A collection of Chroma.",
)

__all__ = ["COLLECTION", "STORE"]
