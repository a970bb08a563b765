"""Prometheus metrics of nodes and agents, and the same numbers for status pages.

Children are looked up once; the hot path adds to a number per batch. A deployment registers its collectors when it
starts and takes them out when it stops, so that the next one can use the same registry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from langstream.sdk import contract

LABEL: Final = "agent_id"
_BATCH_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_Collector = TypeVar("_Collector", bound=MetricWrapperBase)


def metric_name(name: str) -> str:
    """The name as Prometheus takes it: runs of other characters become `_`; it does not begin with a digit."""
    cleaned = re.sub(r"[^a-zA-Z0-9_]+", "_", name)
    return cleaned if re.match(r"[a-zA-Z_]", cleaned) else f"_{cleaned}"


class Meters:
    """The collectors of one deployment."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._collectors: dict[str, MetricWrapperBase] = {}

    def counter(self, name: str, description: str, agent_id: str) -> Counter:
        """The counter of that name for the agent; Prometheus appends `_total`."""
        cleaned = metric_name(name)
        return self._collector(cleaned, Counter, lambda: self._make(Counter, cleaned, description)).labels(agent_id)

    def labelled(self, name: str, description: str, agent_id: str, labels: Mapping[str, str]) -> Counter:
        """The counter of that name for the agent and these further labels."""
        cleaned = metric_name(name)
        names = [LABEL, *labels]
        found = self._collector(
            cleaned, Counter, lambda: Counter(cleaned, description or cleaned, names, registry=self.registry)
        )
        return found.labels(agent_id, *labels.values())

    def gauge(self, name: str, description: str, agent_id: str) -> Gauge:
        """The gauge of that name for the agent."""
        cleaned = metric_name(name)
        return self._collector(cleaned, Gauge, lambda: self._make(Gauge, cleaned, description)).labels(agent_id)

    def histogram(self, name: str, description: str, agent_id: str) -> Histogram:
        """The histogram of seconds of that name for the agent."""
        cleaned = metric_name(name)
        found = self._collector(
            cleaned,
            Histogram,
            lambda: Histogram(cleaned, description or cleaned, [LABEL], registry=self.registry, buckets=_BATCH_SECONDS),
        )
        return found.labels(agent_id)

    def close(self) -> None:
        """Take everything out of the registry."""
        collectors, self._collectors = self._collectors, {}
        for collector in collectors.values():
            self.registry.unregister(collector)

    def _make(self, kind: type[_Collector], name: str, description: str) -> _Collector:
        return kind(name, description or name, [LABEL], registry=self.registry)

    def _collector(self, name: str, kind: type[_Collector], make: Callable[[], _Collector]) -> _Collector:
        # `x` and `x_total` are one counter to Prometheus
        key = name.removesuffix("_total") if kind is Counter else name
        found = self._collectors.get(key)
        if found is None:
            found = self._collectors[key] = make()
        if not isinstance(found, kind):
            raise TypeError(f"the metric {name} is a {type(found).__name__.lower()} already")
        return found


class AgentMetrics:
    """What agents see of the metrics: their own, by name."""

    def __init__(self, meters: Meters, agent_id: str) -> None:
        self._meters = meters
        self._agent_id = agent_id

    def counter(self, name: str, description: str = "") -> contract.Counter:
        """The counter of that name; the same object each time."""
        return self._meters.counter(name, description, self._agent_id)

    def labelled(self, name: str, description: str, labels: Mapping[str, str]) -> contract.Counter:
        """The counter of that name with further labels."""
        return self._meters.labelled(name, description, self._agent_id, labels)

    def histogram(self, name: str, description: str = "") -> Callable[[float], None]:
        """A function that records an observation, in seconds."""
        observe: Callable[[float], None] = self._meters.histogram(name, description, self._agent_id).observe
        return observe


@dataclass(slots=True)
class Numbers:
    """What an agent did."""

    records_in: int = 0
    records_out: int = 0
    errors: int = 0
    retries: int = 0
    dead_letters: int = 0
    cancelled: int = 0

    def add(self, other: Numbers) -> None:
        """Sum up."""
        self.records_in += other.records_in
        self.records_out += other.records_out
        self.errors += other.errors
        self.retries += other.retries
        self.dead_letters += other.dead_letters
        self.cancelled += other.cancelled


class AgentCounts:
    """Numbers of one agent (or of several that became one), as totals and as metrics."""

    def __init__(self, meters: Meters, agent_id: str) -> None:
        self.numbers = Numbers()
        self._in = meters.counter("agent_records_in", "Records handed to the agent.", agent_id)
        self._out = meters.counter("agent_records_out", "Records the agent returned.", agent_id)
        self._errors = meters.counter("agent_errors", "Failed attempts.", agent_id)
        self._retries = meters.counter("agent_retries", "Further attempts after a failed one.", agent_id)
        self._dead_letters = meters.counter("agent_dead_letters", "Records sent to the dead-letter topic.", agent_id)
        self._cancelled = meters.counter("agent_cancelled", "Records that nobody waited for any more.", agent_id)
        self._seconds = meters.histogram("agent_processing_seconds", "Time per batch.", agent_id)

    def processed(self, records: int, seconds: float) -> None:
        """A batch came back."""
        self.numbers.records_in += records
        self._in.inc(records)
        self._seconds.observe(seconds)

    def returned(self, records: int) -> None:
        """Results left the agent."""
        self.numbers.records_out += records
        self._out.inc(records)

    def failed(self) -> None:
        """An attempt failed."""
        self.numbers.errors += 1
        self._errors.inc()

    def retried(self) -> None:
        """Another attempt will be made."""
        self.numbers.retries += 1
        self._retries.inc()

    def dead_lettered(self) -> None:
        """A record went to the dead-letter topic."""
        self.numbers.dead_letters += 1
        self._dead_letters.inc()

    def cancelled(self, records: int) -> None:
        """Nobody waits for these records any more."""
        self.numbers.cancelled += records
        self._cancelled.inc(records)


class NodeCounts:
    """Numbers of one replica of a node: what its source gave, what its sink got, how far it is behind."""

    def __init__(self, meters: Meters, node_id: str) -> None:
        self.records_in = self.records_out = 0
        self.lag: int | None = None
        self._in = meters.counter("source_out", "Records emitted by the source of the node.", node_id)
        self._out = meters.counter("sink_in", "Records received by the sink of the node.", node_id)
        self._lag = meters.gauge("agent_lag", "Records of the input not committed yet.", node_id)

    def read(self, records: int) -> None:
        """Records came from the source."""
        self.records_in += records
        self._in.inc(records)

    def written(self, records: int) -> None:
        """Records reached the sink."""
        self.records_out += records
        self._out.inc(records)

    def behind(self, records: int) -> None:
        """The lag as of now; the gauge sums the replicas of the process."""
        self._lag.inc(records - (self.lag or 0))
        self.lag = records

    def gone(self) -> None:
        """The replica reads no more: its lag is somebody else's."""
        if self.lag:
            self._lag.dec(self.lag)
        self.lag = None
