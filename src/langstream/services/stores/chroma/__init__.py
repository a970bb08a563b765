"""Chroma: a server or its cloud, by its REST interface (version 2)."""

from __future__ import annotations

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
    example_resource="""\
- type: vector-database
  name: chroma
  configuration:
    service: chroma
    url: http://chroma.example.com:8000
    token: "${secrets.chroma.token}"
""",
    example_query="""\
- type: query-vector-db
  input: questions
  output: related-documents
  configuration:
    datasource: chroma
    query: |
      {"collection-name": "documents", "vector": ?, "limit": 5, "where": {"filename": {"$eq": ?}}}
    fields: [value.question_embeddings, value.filename]
    output-field: value.related_documents
""",
    example_sink="""\
- type: vector-db-sink
  input: chunks
  configuration:
    datasource: chroma
    collection-name: documents
    fields:
      - { name: id, expression: "fn:concat(value.filename, '-', value.chunk_id)" }
      - { name: vector, expression: value.embeddings }
      - { name: filename, expression: value.filename }
      - { name: document, expression: value.text }
""",
)

COLLECTION = AssetType(
    name="chroma-collection",
    configuration=CollectionConfiguration,
    services=("chroma",),
    manage=CollectionAsset,
    summary="A collection of Chroma.",
    example="""\
- name: documents
  asset-type: chroma-collection
  creation-mode: create-if-not-exists
  config:
    datasource: chroma
    collection-name: documents
    distance: cosine
""",
)

__all__ = ["COLLECTION", "STORE"]
