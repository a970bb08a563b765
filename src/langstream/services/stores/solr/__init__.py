"""Apache Solr: searches by its request parameters, documents written in batches, and collections as assets."""

from __future__ import annotations

from langstream.services.stores import example
from langstream.services.stores.contract import AssetType, StoreType
from langstream.services.stores.solr.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.solr.configuration import SolrConfiguration, SolrSinkConfiguration
from langstream.services.stores.solr.store import SolrStore

STORE = StoreType(
    service="solr",
    resource_types=("vector-database",),
    configuration=SolrConfiguration,
    sink_configuration=SolrSinkConfiguration,
    connect=SolrStore,
    summary="Apache Solr: text and vector search.",
    example_resource=example.resource(
        "solr",
        """\
host: solr.example.com
port: 8983
collection-name: documents
user: app
password: "${secrets.solr.password}"
""",
    ),
    example_query=example.query(
        "solr",
        """\
{"q": "{!knn f=vector topK=5 v=$near}", "near": ?,
 "fq": "{!term f=filename v=$name}", "name": ?, "fl": "id,text"}
""",
        "value.filename",
    ),
    example_sink=example.sink("solr", example.fields() + "commit-within: 1000\n"),
)

COLLECTION = AssetType(
    name="solr-collection",
    configuration=CollectionConfiguration,
    services=("solr",),
    manage=CollectionAsset,
    summary="The collection of a Solr resource, made by requests to its collection and schema interfaces.",
    example=example.asset(
        "solr-collection",
        "solr",
        """\
create-statements:
  - api: /api/collections
    body: '{"name": "documents", "numShards": 1, "replicationFactor": 1}'
  - api: /schema
    body: |
      "add-field-type": {"name": "knn_vector", "class": "solr.DenseVectorField",
                         "vectorDimension": 384, "similarityFunction": "cosine"}
  - api: /schema
    body: |
      "add-field": [
        {"name": "vector", "type": "knn_vector", "stored": true, "indexed": true},
        {"name": "filename", "type": "string", "stored": true, "indexed": true},
        {"name": "text", "type": "text_general", "stored": true, "indexed": true}]
""",
    ),
)

__all__ = ["COLLECTION", "STORE"]
