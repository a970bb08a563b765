"""Pinecone: the data plane of an index, found by its name or under the address it has."""

from __future__ import annotations

from langstream.services.stores import example
from langstream.services.stores.contract import AssetType, StoreType
from langstream.services.stores.pinecone.assets import IndexAsset, IndexConfiguration
from langstream.services.stores.pinecone.configuration import PineconeConfiguration, PineconeSinkConfiguration
from langstream.services.stores.pinecone.store import PineconeStore

STORE = StoreType(
    service="pinecone",
    resource_types=("vector-database",),
    configuration=PineconeConfiguration,
    sink_configuration=PineconeSinkConfiguration,
    connect=PineconeStore,
    summary="An index of Pinecone.",
    example_resource=example.resource(
        "pinecone",
        """\
api-key: "${secrets.pinecone.api-key}"
index-name: documents
""",
    ),
    example_query=example.query(
        "pinecone",
        '{"vector": ?, "topK": 5, "filter": {"filename": {"$eq": ?}}}\n',
        "value.filename",
    ),
    example_sink=example.sink(
        "pinecone",
        """\
vector.id: "fn:concat(value.filename, '-', value.chunk_id)"
vector.vector: value.embeddings
vector.metadata.filename: value.filename
vector.metadata.text: value.text
""",
    ),
)

INDEX = AssetType(
    name="pinecone-index",
    configuration=IndexConfiguration,
    services=("pinecone",),
    manage=IndexAsset,
    summary="An index of Pinecone, serverless.",
    example=example.asset(
        "pinecone-index",
        "pinecone",
        """\
name: documents
dimension: 384
metric: cosine
cloud: aws
region: us-east-1
""",
    ),
)

__all__ = ["INDEX", "STORE"]
