"""When to try a record again, and what becomes of one that failed for good."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from langstream.application.model import Application, ErrorsSpec, OnFailure
from langstream.configuration.model import Configuration, field_kinds
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition

FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 10.0
LONGEST_REQUESTED_DELAY_SECONDS: Final = 300.0
"""A service asking for more than this would look like a node that hangs."""
LONGEST_MESSAGE: Final = 4_000
"""Characters of an error in a header: brokers limit the size of records."""
SHORTEST_SECRET: Final = 4
"""Hiding shorter texts would garble messages without hiding anything."""

HEADER_PREFIX: Final = "langstream-error-"


@dataclass(frozen=True, slots=True)
class Policy:
    """The error policy of a node. `attempts` is how often one record is tried in all."""

    attempts: int
    on_failure: OnFailure

    @classmethod
    def of(cls, errors: ErrorsSpec) -> Policy:
        """`retries` counts attempts; 0 and 1 both mean a single one."""
        return cls(max(1, errors.retries), errors.on_failure)

    def delay(self, attempts: int, error: BaseException) -> float | None:
        """Seconds until the next attempt after so many, or None when there is none."""
        if attempts >= self.attempts or getattr(error, "retryable", None) is False:
            return None
        backoff = min(FIRST_DELAY_SECONDS * 2 ** min(attempts - 1, 30), LONGEST_DELAY_SECONDS)
        delay: float = backoff * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, protects nothing
        asked = getattr(error, "retry_after_seconds", None)
        if isinstance(asked, int | float):
            delay = max(delay, min(float(asked), LONGEST_REQUESTED_DELAY_SECONDS))
        return delay


class Redactor:
    """Takes the application's secrets out of texts that people will see."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({text for text in secrets if len(text) >= SHORTEST_SECRET}, key=len, reverse=True)

    @classmethod
    def of(cls, application: Application, configurations: Iterable[Configuration] = ()) -> Redactor:
        """The values of `secrets.yaml`, and options declared to be credentials."""
        secrets = set(_texts(application.secrets))
        for configuration in configurations:
            for attribute, _, kind in field_kinds(type(configuration)):
                if kind.name == "secret":
                    secrets.update(_texts(getattr(configuration, attribute, None)))
        return cls(secrets)

    def __call__(self, text: str) -> str:
        """The text with `***` in place of secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, "***")
        return text


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record failed for good, and where it came from."""

    agent: str
    error: BaseException
    attempts: int
    partition: TopicPartition | None = None
    offset: int | None = None

    @property
    def error_type(self) -> str:
        """The class of the error."""
        return type(self.error).__name__

    def describe(self, redact: Redactor) -> str:
        """For logs and statuses: agent, record, attempts, error."""
        place = (
            f" on {self.partition.topic}/{self.partition.partition} at offset {self.offset}" if self.partition else ""
        )
        times = f"after {self.attempts} attempts" if self.attempts > 1 else "at its only attempt"
        return f"agent {self.agent}: a record{place} failed {times}: {self.error_type}: {self.message(redact)}"

    def message(self, redact: Redactor) -> str:
        """The error's own words."""
        try:
            text = str(self.error)
        except Exception:
            text = "(no message)"
        return redact(text)[:LONGEST_MESSAGE]

    def dead_letter(self, source: SimpleRecord, redact: Redactor) -> SimpleRecord:
        """The source record as it came, with the reason in headers; those of an earlier failure are replaced."""
        reason = {
            "agent": self.agent,
            "type": self.error_type,
            "message": self.message(redact),
            "attempts": str(self.attempts),
            "topic": self.partition.topic if self.partition else None,
            "partition": str(self.partition.partition) if self.partition else None,
            "offset": str(self.offset) if self.offset is not None else None,
            "timestamp": str(time.time_ns() // 1_000_000),
        }
        kept = [(name, value) for name, value in source.header_items() if not name.startswith(HEADER_PREFIX)]
        added = [(HEADER_PREFIX + name, text) for name, text in reason.items() if text is not None]
        return source.with_headers(kept + added)
