"""The gateway's own Prometheus metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

PRODUCER_CACHE = "topic_producer_cache"


class GatewayMetrics:
    """Metrics with their labels bound once: an observation is one call."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        gets = Counter("cache_gets", "Look-ups in a cache", ["cache", "result"], registry=registry)
        self.cache_hits = gets.labels(PRODUCER_CACHE, "hit")
        self.cache_misses = gets.labels(PRODUCER_CACHE, "miss")
        self.cache_puts = Counter("cache_puts", "Entries put into a cache", ["cache"], registry=registry).labels(
            PRODUCER_CACHE
        )
        self.cache_evictions = Counter(
            "cache_evictions", "Entries put out of a full cache", ["cache"], registry=registry
        ).labels(PRODUCER_CACHE)
        self.cache_size = Gauge("cache_size", "Entries in a cache", ["cache"], registry=registry).labels(PRODUCER_CACHE)
        self.sessions = Gauge(
            "langstream_gateway_sessions", "Clients connected now, by type of gateway", ["type"], registry=registry
        )
        self.produced = Counter("langstream_gateway_produced_records", "Records written for clients", registry=registry)
        self.cancellations = Counter(
            "langstream_gateway_cancellations", "Announcements that nobody waits for answers", registry=registry
        )
        self.tail_records = Counter(
            "langstream_gateway_tail_records", "Records read once for all sessions of a topic", registry=registry
        )
        self.tails = Gauge("langstream_gateway_tails", "Topics read at their end now", registry=registry)
        self.catch_up_records = Counter(
            "langstream_gateway_catch_up_records", "Records read for one session alone", registry=registry
        )
        self.slow_sessions = Counter(
            "langstream_gateway_slow_sessions", "Times a session fell behind the end of its topic", registry=registry
        )
