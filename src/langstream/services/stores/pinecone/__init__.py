"""Pinecone: the data plane of an index, found by its name or under the address it has."""

from __future__ import annotations

from langstream.services.stores.contract import AssetType, StoreType
from langstream.services.stores.pinecone.assets import IndexAsset, IndexConfiguration
from langstream.services.stores.pinecone.configuration import PineconeConfiguration, PineconeSinkConfiguration
from langstream.services.stores.pinecone.store import PineconeStore

STORE = StoreType(
    service="pinecone",
    resource_types=("vector-database", "datasource"),
    configuration=PineconeConfiguration,
    sink_configuration=PineconeSinkConfiguration,
    connect=PineconeStore,
    summary="An index of Pinecone.",
)

INDEX = AssetType(
    name="pinecone-index",
    configuration=IndexConfiguration,
    services=("pinecone",),
    manage=IndexAsset,
    summary="An index of Pinecone, serverless.",
)

__all__ = ["INDEX", "STORE"]
