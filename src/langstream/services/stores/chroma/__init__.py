"""Chroma: a server or its cloud, by its REST interface (version 2)."""

from __future__ import annotations

from langstream.services.stores import example
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
    example_resource=example.resource(
        "chroma",
        """\
url: http://chroma.example.com:8000
token: "${secrets.chroma.token}"
""",
    ),
    example_query=example.query(
        "chroma",
        '{"collection-name": "documents", "vector": ?, "limit": 5, "where": {"filename": {"$eq": ?}}}\n',
        "value.filename",
    ),
    example_sink=example.sink("chroma", "collection-name: documents\n" + example.fields(text="document")),
)

COLLECTION = AssetType(
    name="chroma-collection",
    configuration=CollectionConfiguration,
    services=("chroma",),
    manage=CollectionAsset,
    summary="A collection of Chroma.",
    example=example.asset(
        "chroma-collection",
        "chroma",
        """\
collection-name: documents
distance: cosine
""",
    ),
)

__all__ = ["COLLECTION", "STORE"]
