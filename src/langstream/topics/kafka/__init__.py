"""The `kafka` broker: topics on an Apache Kafka cluster, or anything that speaks its protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langstream.configuration.validation import check
from langstream.errors import ApplicationRefused, Problem
from langstream.topics.kafka.settings import KafkaConfiguration, client_settings

if TYPE_CHECKING:
    from langstream.topics.kafka.cluster import KafkaCluster


def open_cluster(configuration: Mapping[str, Any], data_directory: Path | None) -> KafkaCluster:
    """The cluster that `configuration.admin` names. Raises ApplicationRefused for wrong settings."""
    subject = "streaming cluster configuration (type: 'kafka')"
    checked, problems = check(KafkaConfiguration, configuration, subject=subject)
    if checked is None:
        raise ApplicationRefused(problems)
    settings = client_settings(checked)
    try:
        from langstream.topics.kafka.cluster import KafkaCluster
    except ModuleNotFoundError as error:
        if error.name != "confluent_kafka":
            raise
        raise ApplicationRefused(
            [Problem("the Kafka client is not installed", hint="Install it: pip install 'langstream[kafka]'.")]
        ) from None
    return KafkaCluster(settings)
