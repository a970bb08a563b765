"""The `pulsar` broker: topics on an Apache Pulsar cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langstream.configuration.validation import check
from langstream.errors import ApplicationRefused, Problem
from langstream.topics.pulsar.settings import PulsarConfiguration, cluster_settings, in_kebab_case

if TYPE_CHECKING:
    from langstream.topics.pulsar.cluster import PulsarCluster


def open_cluster(configuration: Mapping[str, Any], data_directory: Path | None) -> PulsarCluster:
    """The cluster that `service` and `admin` name. Raises ApplicationRefused for wrong settings."""
    subject = "streaming cluster configuration (type: 'pulsar')"
    checked, problems = check(PulsarConfiguration, in_kebab_case(configuration), subject=subject)
    if checked is None:
        raise ApplicationRefused(problems)
    settings = cluster_settings(checked)
    try:
        from langstream.topics.pulsar.cluster import PulsarCluster
    except ModuleNotFoundError as error:
        if error.name not in ("pulsar", "_pulsar"):
            raise
        raise ApplicationRefused(
            [Problem("the Pulsar client is not installed", hint="Install it: pip install 'langstream[pulsar]'.")]
        ) from None
    return PulsarCluster(settings)
