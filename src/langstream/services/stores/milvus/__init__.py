"""Milvus: a server, Zilliz Cloud, or Milvus Lite in a file of this process."""

from __future__ import annotations

from langstream.services.stores import example
from langstream.services.stores.contract import AssetType, StoreType
from langstream.services.stores.milvus.assets import CollectionAsset, CollectionConfiguration
from langstream.services.stores.milvus.configuration import MilvusConfiguration, MilvusSinkConfiguration
from langstream.services.stores.milvus.store import MilvusStore

STORE = StoreType(
    service="milvus",
    resource_types=("vector-database",),
    configuration=MilvusConfiguration,
    sink_configuration=MilvusSinkConfiguration,
    connect=MilvusStore,
    summary="Milvus, Zilliz Cloud, or Milvus Lite in a file.",
    example_resource=example.resource(
        "milvus",
        """\
host: milvus.example.com
port: 19530
user: root
password: "${secrets.milvus.password}"
""",
    ),
    example_query=example.query(
        "milvus",
        """\
{"collection-name": "documents", "vectors": ?, "limit": 5, "output-fields": ["text"],
 "filter": "filename == {filename}", "filter-params": {"filename": ?}}
""",
        "value.filename",
    ),
    example_sink=example.sink("milvus", "collection-name: documents\n" + example.fields()),
)

COLLECTION = AssetType(
    name="milvus-collection",
    configuration=CollectionConfiguration,
    services=("milvus",),
    manage=CollectionAsset,
    summary="A collection of Milvus, made by JSON commands.",
    example=example.asset(
        "milvus-collection",
        "milvus",
        """\
collection-name: documents
create-statements:
  - |
    {"command": "create-collection", "collection-name": "documents", "field-types": [
      {"name": "id", "data-type": "Varchar", "primary-key": true, "max-length": 200},
      {"name": "vector", "data-type": "FloatVector", "dimension": 384},
      {"name": "filename", "data-type": "Varchar", "max-length": 100},
      {"name": "text", "data-type": "Varchar", "max-length": 5000}]}
  - |
    {"command": "create-index", "collection-name": "documents", "field-name": "vector",
     "index-type": "AUTOINDEX", "metric-type": "COSINE"}
  - '{"command": "load-collection"}'
""",
    ),
)

__all__ = ["COLLECTION", "STORE"]
