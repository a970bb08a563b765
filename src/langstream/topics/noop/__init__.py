"""The streaming cluster `noop`: there is none. For applications whose agents are joined without topics.

Topics may be declared, and are not made. Whoever opens a connection is told that there is no broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langstream.configuration.model import Configuration
from langstream.configuration.validation import check
from langstream.errors import ApplicationRefused

if TYPE_CHECKING:
    from langstream.topics.noop.cluster import NoCluster


class NoopConfiguration(Configuration):
    """There is nothing to configure."""


def open_cluster(configuration: Mapping[str, Any], data_directory: Path | None) -> NoCluster:
    """A cluster without topics. The directory is not used."""
    from langstream.topics.noop.cluster import NoCluster

    _, problems = check(NoopConfiguration, configuration, subject="streaming cluster configuration (type: 'noop')")
    if problems:
        raise ApplicationRefused(problems)
    return NoCluster()
