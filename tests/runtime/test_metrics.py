"""Names and numbers of metrics."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from langstream.runtime.metrics import AgentMetrics, Meters, metric_name


@pytest.mark.parametrize(
    ("name", "expected"), [("tokens", "tokens"), ("a.b-c d", "a_b_c_d"), ("9lives", "_9lives"), ("é", "_")]
)
def test_names_are_made_acceptable(name: str, expected: str) -> None:
    assert metric_name(name) == expected


def test_a_counter_is_the_same_object_each_time() -> None:
    registry = CollectorRegistry()
    metrics = AgentMetrics(Meters(registry), "a1")
    assert metrics.counter("tokens") is metrics.counter("tokens")
    metrics.counter("tokens").inc(3)
    metrics.histogram("latency")(0.2)
    assert registry.get_sample_value("tokens_total", {"agent_id": "a1"}) == 3
    assert registry.get_sample_value("latency_count", {"agent_id": "a1"}) == 1


def test_one_name_is_one_kind() -> None:
    metrics = AgentMetrics(Meters(), "a1")
    metrics.histogram("size")
    with pytest.raises(TypeError, match="the metric size is a histogram"):
        metrics.counter("size")


def test_a_registry_can_be_used_again() -> None:
    registry = CollectorRegistry()
    for _ in range(2):
        meters = Meters(registry)
        meters.counter("tokens", "", "a1").inc()
        meters.close()
    assert list(registry.collect()) == []


async def test_a_node_counts_what_passes(kit: Any) -> None:
    await kit.topics("in", "out", "in-deadletter")
    await kit.send("in", "a", "bad", "b")

    def process(record: Any) -> Any:
        return ValueError("bad") if record.value() == "bad" else [record, record]

    replica = await kit.run(kit.node(kit.Straight(process), on_failure="dead-letter", retries=2))
    await kit.values("out", 4)
    await kit.until(lambda: replica.counts.lag is not None)
    sample = kit.surroundings.meters.registry.get_sample_value
    names = {
        "source_out_total": 3,
        "sink_in_total": 5,
        "agent_records_out_total": 4,
        "agent_errors_total": 2,
        "agent_retries_total": 1,
        "agent_dead_letters_total": 1,
        "agent_records_in_total": 4,
    }
    assert {name: sample(name, {"agent_id": "node"}) for name in names} == names
    assert sample("agent_lag", {"agent_id": "node"}) is not None
    assert sample("agent_processing_seconds_count", {"agent_id": "node"}) == 2
