"""Milvus: a server, Zilliz Cloud, or Milvus Lite in a file of this process."""

from __future__ import annotations

from langstream.services.stores.contract import AssetType, StoreType
from langstream.services.stores.milvus.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.milvus.configuration import MilvusConfiguration, MilvusSinkConfiguration
from langstream.services.stores.milvus.store import MilvusStore

STORE = StoreType(
    service="milvus",
    resource_types=("vector-database", "datasource"),
    configuration=MilvusConfiguration,
    sink_configuration=MilvusSinkConfiguration,
    connect=MilvusStore,
    summary="Milvus, Zilliz Cloud, or Milvus Lite in a file.",
)

COLLECTION = AssetType(
    name="milvus-collection",
    configuration=CollectionConfiguration,
    services=("milvus",),
    manage=CollectionAsset,
    summary="A collection of Milvus, made by JSON commands.",
)

__all__ = ["COLLECTION", "STORE"]
