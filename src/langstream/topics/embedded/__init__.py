"""The `embedded` broker: durable topics in one SQLite file, shared by the processes of one machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langstream.configuration.validation import check
from langstream.errors import ApplicationRefused, Problem
from langstream.topics.embedded.log import EmbeddedLog
from langstream.topics.embedded.settings import EmbeddedConfiguration
from langstream.topics.local.cluster import LocalCluster


def open_cluster(configuration: Mapping[str, Any], data_directory: Path | None) -> LocalCluster:
    """The broker over `topics.db` in the directory. Raises ApplicationRefused for wrong settings."""
    subject = "streaming cluster configuration (type: 'embedded')"
    settings, problems = check(EmbeddedConfiguration, configuration, subject=subject)
    if settings is None:
        raise ApplicationRefused(problems)
    directory = Path(settings.directory).expanduser() if settings.directory else data_directory
    if directory is None:
        raise ApplicationRefused(
            [Problem("the embedded broker needs a directory: set 'directory', or use type 'memory'")]
        )
    return LocalCluster(EmbeddedLog(directory, settings))
