"""Qdrant, by its REST interface."""

from __future__ import annotations

from langstream.services.stores import example
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
    example_resource=example.resource(
        "qdrant",
        """\
url: https://qdrant.example.com:6333
api-key: "${secrets.qdrant.api-key}"
""",
    ),
    example_query=example.query(
        "qdrant",
        """\
{"collection-name": "documents", "vector": ?, "limit": 5,
 "filter": {"must": [{"key": "filename", "match": {"value": ?}}]}}
""",
        "value.filename",
    ),
    example_sink=example.sink("qdrant", "collection-name: documents\n" + example.fields(key=True)),
)

COLLECTION = AssetType(
    name="qdrant-collection",
    configuration=CollectionConfiguration,
    services=("qdrant",),
    manage=CollectionAsset,
    summary="A collection of Qdrant.",
    example=example.asset(
        "qdrant-collection",
        "qdrant",
        """\
collection-name: documents
vector-dimension: 384
payload-indexes: { filename: keyword }
""",
    ),
)

__all__ = ["COLLECTION", "STORE"]
