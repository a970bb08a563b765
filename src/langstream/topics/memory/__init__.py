"""The `memory` broker: topics of one process, gone when it ends. For development, tests and `--ephemeral`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langstream.configuration.model import Configuration
from langstream.configuration.validation import check
from langstream.errors import ApplicationRefused
from langstream.topics.local.cluster import LocalCluster
from langstream.topics.memory.log import MemoryLog


class MemoryConfiguration(Configuration):
    """There is nothing to configure."""


def open_cluster(configuration: Mapping[str, Any], data_directory: Path | None) -> LocalCluster:
    """A broker of its own; two calls share nothing. The directory is not used."""
    _, problems = check(MemoryConfiguration, configuration, subject="streaming cluster configuration (type: 'memory')")
    if problems:
        raise ApplicationRefused(problems)
    return LocalCluster(MemoryLog())
