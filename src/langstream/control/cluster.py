"""The streaming cluster an instance names, opened by its type."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langstream.application.model import Cluster
from langstream.configuration.names import did_you_mean
from langstream.errors import ApplicationRefused, Problem
from langstream.registry import TOPICS, Registry
from langstream.topics.contract import TopicCluster


def open_cluster(streaming: Cluster | None, data_directory: Path | None) -> TopicCluster:
    """The cluster the instance names; without one the embedded broker, or memory if nothing is to be kept.

    Raises ApplicationRefused for a type no broker is registered under.
    """
    registry = Registry(TOPICS)
    kind = streaming.type if streaming else ("memory" if data_directory is None else "embedded")
    configuration: Mapping[str, Any] = streaming.configuration if streaming else {}
    if kind not in registry:
        known = registry.names()
        hint = did_you_mean(kind, known) or f"Known types: {', '.join(known)}."
        position = streaming.position if streaming else None
        raise ApplicationRefused([Problem(f"Streaming cluster type '{kind}' is unknown.", position, hint)])
    cluster: TopicCluster = registry.load(kind)(configuration, data_directory)
    return cluster
