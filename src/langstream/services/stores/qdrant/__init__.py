"""Qdrant, by its REST interface."""

from __future__ import annotations

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
    example_resource="""\
- type: vector-database
  name: qdrant
  configuration:
    service: qdrant
    url: https://qdrant.example.com:6333
    api-key: "${secrets.qdrant.api-key}"
""",
    example_query="""\
- type: query-vector-db
  input: questions
  output: related-documents
  configuration:
    datasource: qdrant
    query: |
      {"collection-name": "documents", "vector": ?, "limit": 5,
       "filter": {"must": [{"key": "filename", "match": {"value": ?}}]}}
    fields: [value.question_embeddings, value.filename]
    output-field: value.related_documents
""",
    example_sink="""\
- type: vector-db-sink
  input: chunks
  configuration:
    datasource: qdrant
    collection-name: documents
    fields:
      - { name: id, expression: "fn:concat(value.filename, '-', value.chunk_id)", primary-key: true }
      - { name: vector, expression: value.embeddings }
      - { name: filename, expression: value.filename }
      - { name: text, expression: value.text }
""",
)

COLLECTION = AssetType(
    name="qdrant-collection",
    configuration=CollectionConfiguration,
    services=("qdrant",),
    manage=CollectionAsset,
    summary="A collection of Qdrant.",
    example="""\
- name: documents
  asset-type: qdrant-collection
  creation-mode: create-if-not-exists
  config:
    datasource: qdrant
    collection-name: documents
    vector-dimension: 384
    payload-indexes: { filename: keyword }
""",
)

__all__ = ["COLLECTION", "STORE"]
