"""A topic's settings as Kafka names them, as policies of Pulsar, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from langstream.topics.settings import cleanup

MINUTE_MS: Final = 60_000
MEBIBYTE: Final = 1 << 20
COMPACTION_BYTES: Final = 100 * MEBIBYTE
"""A topic is compacted whenever so much was written since the last time."""
DEFAULT_RETENTION: Final = {"retentionTimeInMinutes": 7 * 24 * 60, "retentionSizeInMB": -1}
"""Without any, Pulsar forgets records that nobody has subscribed to yet: new groups would not begin at the earliest."""


KEPT: Final = {
    "inactiveTopicDeleteMode": "delete_when_no_subscriptions",
    "maxInactiveDurationSeconds": 60,
    "deleteWhileInactive": False,
}
"""Without it, Pulsar deletes topics without records that nobody uses for a minute, such as those of dead letters."""


@dataclass(frozen=True, slots=True)
class Policies:
    """What the namespace says."""

    retention: Mapping[str, Any] | None = None
    kept: bool = False
    """Topics stay when nobody uses them."""


def policies_of(topic: str, config: Mapping[str, str], inherited: Policies) -> dict[str, Any]:
    """Policy → setting. Pulsar counts minutes and mebibytes, so limits are rounded up."""
    rules = cleanup(topic, config)
    found: dict[str, Any] = {}
    named = "retention.ms" in config or "retention.bytes" in config
    if rules.compact:
        found["compactionThreshold"] = COMPACTION_BYTES
    if named and "delete" in config.get("cleanup.policy", "delete"):
        found["retention"] = {
            "retentionTimeInMinutes": -1
            if rules.retention_ms is None
            else max(1, ceil(rules.retention_ms / MINUTE_MS)),
            "retentionSizeInMB": -1
            if rules.retention_bytes is None
            else max(1, ceil(rules.retention_bytes / MEBIBYTE)),
        }
    elif not _limits(inherited.retention):
        found["retention"] = DEFAULT_RETENTION
    if not inherited.kept:
        found["inactiveTopicPolicies"] = KEPT
    return found


def described(retention: Any, threshold: Any) -> dict[str, str]:
    """The settings of a topic that somebody else has made."""
    config: dict[str, str] = {}
    if isinstance(retention, Mapping):
        minutes, size = int(retention["retentionTimeInMinutes"]), int(retention["retentionSizeInMB"])
        config["retention.ms"] = str(minutes * MINUTE_MS if minutes >= 0 else -1)
        config["retention.bytes"] = str(size * MEBIBYTE if size >= 0 else -1)
    if isinstance(threshold, int) and threshold > 0:
        config["cleanup.policy"] = "compact"
    return config


def _limits(retention: Mapping[str, Any] | None) -> bool:
    return retention is not None and any(int(limit) != 0 for limit in retention.values() if isinstance(limit, int))
