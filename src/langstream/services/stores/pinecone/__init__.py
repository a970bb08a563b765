"""Pinecone: the data plane of an index, found by its name or under the address it has."""

from __future__ import annotations

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
    example_resource="""\
- type: vector-database
  name: pinecone
  configuration:
    service: pinecone
    api-key: "${secrets.pinecone.api-key}"
    index-name: documents
""",
    example_query="""\
- type: query-vector-db
  input: questions
  output: related-documents
  configuration:
    datasource: pinecone
    query: |
      {"vector": ?, "topK": 5, "filter": {"filename": {"$eq": ?}}}
    fields: [value.question_embeddings, value.filename]
    output-field: value.related_documents
""",
    example_sink="""\
- type: vector-db-sink
  input: chunks
  configuration:
    datasource: pinecone
    vector.id: "fn:concat(value.filename, '-', value.chunk_id)"
    vector.vector: value.embeddings
    vector.metadata.filename: value.filename
    vector.metadata.text: value.text
""",
)

INDEX = AssetType(
    name="pinecone-index",
    configuration=IndexConfiguration,
    services=("pinecone",),
    manage=IndexAsset,
    summary="An index of Pinecone, serverless.",
    example="""\
- name: documents
  asset-type: pinecone-index
  creation-mode: create-if-not-exists
  config:
    datasource: pinecone
    name: documents
    dimension: 384
    metric: cosine
    cloud: aws
    region: us-east-1
""",
)

__all__ = ["INDEX", "STORE"]
