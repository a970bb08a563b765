"""Settings of a topic as Kafka names them, checked when the topic is created.

`retention.ms`, `retention.bytes` (per partition), `cleanup.policy` and `delete.retention.ms` are obeyed by the local
brokers. Other settings are kept and reported, so that an application's files stay the same on every broker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from langstream.errors import TopicError, TopicMismatch
from langstream.topics.contract import DEFAULT_PARTITIONS, TopicSpec

MAX_PARTITIONS: Final = 10_000
NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
DAY_MS: Final = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What may be removed from a topic. None means no limit."""

    retention_ms: int | None = None
    retention_bytes: int | None = None
    compact: bool = False
    tombstones_ms: int = DAY_MS


def check_spec(spec: TopicSpec) -> tuple[int, dict[str, str]]:
    """The number of partitions and the settings as text. Raises TopicError for what cannot be."""
    if not NAME.fullmatch(spec.name) or spec.name in (".", ".."):
        raise TopicError(f"{spec.name!r} cannot be the name of a topic: use 1 to 249 letters, digits, '.', '_' and '-'")
    if not 0 <= spec.partitions <= MAX_PARTITIONS:
        raise TopicError(f"topic {spec.name}: partitions is {spec.partitions!r}; expected 0 to {MAX_PARTITIONS}")
    config = {str(name): _text(value) for name, value in spec.config.items() if value is not None}
    cleanup(spec.name, config)
    return spec.partitions if spec.partitions > 0 else DEFAULT_PARTITIONS, config


def cleanup(topic: str, config: Mapping[str, str]) -> Cleanup:
    """The clean-up rules in the settings. Raises TopicError naming a wrong one."""
    policies = [policy.strip() for policy in config.get("cleanup.policy", "delete").split(",")]
    for policy in policies:
        if policy not in ("delete", "compact"):
            raise TopicError(f"topic {topic}: cleanup.policy is {policy!r}; expected 'delete' or 'compact' or both")
    retention_ms = _limit(topic, config, "retention.ms")
    retention_bytes = _limit(topic, config, "retention.bytes")
    tombstones_ms = _limit(topic, config, "delete.retention.ms")
    deletes = "delete" in policies
    return Cleanup(
        retention_ms=retention_ms if deletes else None,
        retention_bytes=retention_bytes if deletes else None,
        compact="compact" in policies,
        tombstones_ms=DAY_MS if tombstones_ms is None else tombstones_ms,
    )


def check_same(spec: TopicSpec, partitions: int, config: Mapping[str, str]) -> None:
    """Raises TopicMismatch unless the existing topic is what the spec declares; what it leaves open may be anything."""
    if spec.partitions > 0 and spec.partitions != partitions:
        raise TopicMismatch(
            f"topic {spec.name} exists with {partitions} partition{'s' if partitions != 1 else ''}, "
            f"but {spec.partitions} {'are' if spec.partitions != 1 else 'is'} declared; "
            "declare the same number, use another name, or delete the topic first"
        )
    _, declared = check_spec(spec)
    for name, value in declared.items():
        if config.get(name) != value:
            there = f"{name} {config[name]!r}" if name in config else f"no {name}"
            raise TopicMismatch(
                f"topic {spec.name} exists with {there}, but {value!r} is declared; "
                "declare the same, use another name, or delete the topic first"
            )


def _limit(topic: str, config: Mapping[str, str], name: str) -> int | None:
    text = config.get(name)
    if text is None:
        return None
    try:
        limit = int(text)
    except ValueError:
        limit = -2
    if limit < -1:
        raise TopicError(f"topic {topic}: {name} is {text!r}; expected a whole number, or -1 for no limit")
    return None if limit == -1 else limit


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).strip()
