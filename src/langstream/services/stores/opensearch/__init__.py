"""OpenSearch, one's own or at AWS: search requests, documents written in bulk, and the index as an asset."""

from __future__ import annotations

from langstream.services.stores.contract import AssetType, StoreType
from langstream.services.stores.opensearch.assets import IndexAsset, IndexConfiguration
from langstream.services.stores.opensearch.configuration import OpenSearchConfiguration, OpenSearchSinkConfiguration
from langstream.services.stores.opensearch.store import OpenSearchStore

STORE = StoreType(
    service="opensearch",
    resource_types=("datasource", "vector-database"),
    configuration=OpenSearchConfiguration,
    sink_configuration=OpenSearchSinkConfiguration,
    connect=OpenSearchStore,
    summary="OpenSearch, with a login or with requests signed for AWS.",
)

INDEX = AssetType(
    name="opensearch-index",
    configuration=IndexConfiguration,
    services=("opensearch",),
    manage=IndexAsset,
    summary="The index of an OpenSearch resource.",
)

__all__ = ["INDEX", "STORE"]
