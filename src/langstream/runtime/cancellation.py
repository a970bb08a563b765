"""Cancellations: what nobody waits for any more, as gateways announce it and nodes remember it.

A cancellation names headers and a moment. It is about the records that carry all of these headers and are not younger;
one without headers would be about everything, and cannot be made.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import orjson

from langstream.records import Record, SimpleRecord, dump_json, header_text

Pair: TypeAlias = tuple[str, str]

REMEMBERED_SECONDS: Final = 3600.0
"""How long a queued question may take to be reached and still be known as cancelled."""
MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Records with these headers, up to the moment `before` (milliseconds since the epoch), on their way to the topic
    `answers`. Raises ValueError without headers."""

    answers: str
    headers: frozenset[Pair]
    before: int

    def __post_init__(self) -> None:
        if not self.headers or len(dict(self.headers)) != len(self.headers):
            raise ValueError("a cancellation needs headers, each of them once")

    def record(self) -> SimpleRecord:
        """As it travels over the topic of cancellations."""
        content = {"answers": self.answers, "headers": dict(sorted(self.headers)), "before": self.before}
        return SimpleRecord(dump_json(content).decode())


def read_cancellation(record: Record) -> Cancellation | None:
    """The cancellation that the record announces; None for anything else."""
    text = record.value()
    try:
        content = orjson.loads(text) if isinstance(text, str | bytes) else None
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    answers, headers, before = (content.get(name) for name in ("answers", "headers", "before"))
    if not isinstance(answers, str) or not isinstance(headers, dict) or type(before) is not int:
        return None
    if not headers or not all(isinstance(text, str) for text in headers.values()):
        return None
    return Cancellation(answers, frozenset(headers.items()), before)


class Cancellations:
    """Cancellations to look records up in: it costs a look at each header, however many there are.

    The oldest are forgotten, by age and by number. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        most: int = MOST_REMEMBERED,
        seconds: float = REMEMBERED_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._heard: OrderedDict[tuple[str, frozenset[Pair]], float] = OrderedDict()
        self._buckets: dict[Pair, dict[tuple[str, frozenset[Pair]], int]] = {}
        """By one of their pairs: the moments."""

    def __len__(self) -> int:
        return len(self._heard)

    def add(self, cancellation: Cancellation, at: float | None = None) -> bool:
        """Remember it. `at`: when it was announced, now by default. False if that was too long ago."""
        now = self._clock()
        at = now if at is None else at
        if at < now - self._seconds:
            return False
        key = (cancellation.answers, cancellation.headers)
        before = max(cancellation.before, self._forget(key))
        self._heard[key] = at
        pair = min(cancellation.headers, key=lambda candidate: (len(self._buckets.get(candidate, ())), candidate))
        self._buckets.setdefault(pair, {})[key] = before
        while len(self._heard) > self._most or next(iter(self._heard.values())) < now - self._seconds:
            self._forget(next(iter(self._heard)))
        return True

    def cover(self, record: Record, answers: frozenset[str]) -> bool:
        """Whether one of them is about the record, which is on its way to these topics."""
        moment = record.timestamp()
        buckets = self._buckets
        if not buckets or moment is None:
            return False
        for name, value in record.headers():
            bucket = buckets.get((name, value if type(value) is str else header_text(value)))  # type: ignore[arg-type]
            if bucket is None:
                continue
            texts = first_texts(record)
            for (topic, headers), before in bucket.items():
                if before >= moment and topic in answers and all(texts.get(name) == text for name, text in headers):
                    return True
        return False

    def _forget(self, key: tuple[str, frozenset[Pair]]) -> int:
        """The moment of what is forgotten; 0 if it was not known."""
        if self._heard.pop(key, None) is None:
            return 0
        for pair in key[1]:
            bucket = self._buckets.get(pair)
            if bucket is not None and key in bucket:
                before = bucket.pop(key)
                if not bucket:
                    del self._buckets[pair]
                return before
        return 0


def first_texts(record: Record) -> dict[str, str | None]:
    """Header name → text of its first occurrence, as gateways match them."""
    return {name: header_text(value) for name, value in reversed(record.headers())}
