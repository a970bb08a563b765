"""OpenSearch, one's own or at AWS: search requests, documents written in bulk, and the index as an asset."""

from __future__ import annotations

from langstream.services.stores import example
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
    example_resource=example.resource(
        "opensearch",
        """\
host: search.example.com
port: 9200
index-name: documents
username: app
password: "${secrets.opensearch.password}"
""",
    ),
    example_query=example.query(
        "opensearch",
        """\
{"size": 5, "_source": ["text"],
 "query": {"knn": {"vector": {"vector": ?, "k": 5}}}}
""",
    ),
    example_sink=example.sink(
        "opensearch",
        """\
id: "fn:concat(value.filename, '-', value.chunk_id)"
fields:
  - { name: vector, expression: value.embeddings }
  - { name: filename, expression: value.filename }
  - { name: text, expression: value.text }
bulk-parameters: { refresh: wait_for }
""",
    ),
)

INDEX = AssetType(
    name="opensearch-index",
    configuration=IndexConfiguration,
    services=("opensearch",),
    manage=IndexAsset,
    summary="The index of an OpenSearch resource.",
    example=example.asset(
        "opensearch-index",
        "opensearch",
        """\
settings: '{"index": {"knn": true}}'
mappings: |
  {"properties": {
    "filename": {"type": "keyword"}, "text": {"type": "text"},
    "vector": {"type": "knn_vector", "dimension": 384,
      "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}}}}
""",
    ),
)

__all__ = ["INDEX", "STORE"]
