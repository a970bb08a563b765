"""Apache Solr: searches by its request parameters, documents written in batches, and collections as assets."""

from __future__ import annotations

from langstream.services.stores.contract import AssetType, StoreType
from langstream.services.stores.solr.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.solr.configuration import SolrConfiguration, SolrSinkConfiguration
from langstream.services.stores.solr.store import SolrStore

STORE = StoreType(
    service="solr",
    resource_types=("vector-database", "datasource"),
    configuration=SolrConfiguration,
    sink_configuration=SolrSinkConfiguration,
    connect=SolrStore,
    summary="Apache Solr: text and vector search.",
)

COLLECTION = AssetType(
    name="solr-collection",
    configuration=CollectionConfiguration,
    services=("solr",),
    manage=CollectionAsset,
    summary="The collection of a Solr resource, made by requests to its collection and schema interfaces.",
)

__all__ = ["COLLECTION", "STORE"]
