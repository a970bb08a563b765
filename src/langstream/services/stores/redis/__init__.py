"""Redis and its relatives (Valkey, Dragonfly …): rows are hashes; any command can be a query."""

from __future__ import annotations

from langstream.services.stores.contract import StoreType
from langstream.services.stores.redis.configuration import RedisConfiguration, RedisSinkConfiguration
from langstream.services.stores.redis.store import RedisStore

STORE = StoreType(
    service="redis",
    resource_types=("vector-database", "datasource"),
    configuration=RedisConfiguration,
    sink_configuration=RedisSinkConfiguration,
    connect=RedisStore,
    summary="Redis: rows as hashes, vectors searched one by one or by the server's search module.",
    example_resource="""\
- type: vector-database
  name: redis
  configuration:
    service: redis
    host: redis.example.com
    port: 6379
    password: "${secrets.redis.password}"
""",
    example_query="""\
- type: query-vector-db
  input: questions
  output: related-documents
  configuration:
    datasource: redis
    query: |
      {"collection-name": "documents", "vector": ?, "limit": 5,
       "filter": {"filename": ?}, "output-fields": ["text"]}
    fields: [value.question_embeddings, value.filename]
    output-field: value.related_documents
""",
    example_sink="""\
- type: vector-db-sink
  input: chunks
  configuration:
    datasource: redis
    collection-name: documents
    fields:
      - { name: id, expression: "fn:concat(value.filename, '-', value.chunk_id)", primary-key: true }
      - { name: vector, expression: value.embeddings }
      - { name: filename, expression: value.filename }
      - { name: text, expression: value.text }
""",
)

__all__ = ["STORE"]
