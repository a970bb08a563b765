"""Redis and its relatives (Valkey, Dragonfly …): rows are hashes; any command can be a query."""

from __future__ import annotations

from langstream.services.stores import example
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
    example_resource=example.resource(
        "redis",
        """\
host: redis.example.com
port: 6379
password: "${secrets.redis.password}"
""",
    ),
    example_query=example.query(
        "redis",
        """\
{"collection-name": "documents", "vector": ?, "limit": 5,
 "filter": {"filename": ?}, "output-fields": ["text"]}
""",
        "value.filename",
    ),
    example_sink=example.sink("redis", "collection-name: documents\n" + example.fields(key=True)),
)

__all__ = ["STORE"]
