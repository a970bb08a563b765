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
)

__all__ = ["STORE"]
