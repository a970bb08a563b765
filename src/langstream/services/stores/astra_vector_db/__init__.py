"""DataStax Astra by its Data API: collections of JSON documents with vectors."""

from __future__ import annotations

from langstream.services.stores import example
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
    example_resource=example.resource(
        "astra-vector-db",
        """\
endpoint: https://01234567-89ab-cdef-0123-456789abcdef-us-east1.apps.astra.datastax.com
token: "${secrets.astra.token}"
""",
        name="astra-documents",
    ),
    example_query=example.query(
        "astra-documents",
        """\
{"collection-name": "documents", "vector": ?, "limit": 5,
 "filter": {"filename": ?}, "select": ["text"]}
""",
        "value.filename",
    ),
    example_sink=example.sink("astra-documents", "collection-name: documents\n" + example.fields()),
)

COLLECTION = AssetType(
    name="astra-collection",
    configuration=CollectionConfiguration,
    services=("astra-vector-db",),
    manage=CollectionAsset,
    summary="A collection of an astra-vector-db resource.",
    example=example.asset(
        "astra-collection",
        "astra-documents",
        """\
collection-name: documents
vector-dimension: 384
metric: cosine
""",
    ),
)

__all__ = ["COLLECTION", "STORE"]
