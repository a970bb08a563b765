"""DataStax Astra by its Data API: collections of JSON documents with vectors."""

from __future__ import annotations

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
    example_resource="""\
- type: vector-database
  name: astra-documents
  configuration:
    service: astra-vector-db
    endpoint: https://01234567-89ab-cdef-0123-456789abcdef-us-east1.apps.astra.datastax.com
    token: "${secrets.astra.token}"
""",
    example_query="""\
- type: query-vector-db
  input: questions
  output: related-documents
  configuration:
    datasource: astra-documents
    query: |
      {"collection-name": "documents", "vector": ?, "limit": 5,
       "filter": {"filename": ?}, "select": ["text"]}
    fields: [value.question_embeddings, value.filename]
    output-field: value.related_documents
""",
    example_sink="""\
- type: vector-db-sink
  input: chunks
  configuration:
    datasource: astra-documents
    collection-name: documents
    fields:
      - { name: id, expression: "fn:concat(value.filename, '-', value.chunk_id)" }
      - { name: vector, expression: value.embeddings }
      - { name: filename, expression: value.filename }
      - { name: text, expression: value.text }
""",
)

COLLECTION = AssetType(
    name="astra-collection",
    configuration=CollectionConfiguration,
    services=("astra-vector-db",),
    manage=CollectionAsset,
    summary="A collection of an astra-vector-db resource.",
    example="""\
- name: documents
  asset-type: astra-collection
  creation-mode: create-if-not-exists
  config:
    datasource: astra-documents
    collection-name: documents
    vector-dimension: 384
    metric: cosine
""",
)

__all__ = ["COLLECTION", "STORE"]
