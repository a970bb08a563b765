"""Filters of sessions, and the index that finds the sessions a record is for.

A filter is a set of headers, all of which a record must have with exactly these texts; of repeated headers the first
counts. The index files every session under one of its pairs, so that a record costs a look-up per header, however
many sessions are connected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from langstream.records import header_text

Pair: TypeAlias = tuple[str, str]
Subscriber = TypeVar("Subscriber")


class Filter:
    """Headers and their expected texts. `never` marks a filter that no record can pass."""

    __slots__ = ("never", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str | None]] = ()) -> None:
        expected = list(dict.fromkeys(pairs))
        self.pairs: tuple[Pair, ...] = tuple((name, text) for name, text in expected if text is not None)
        names = {name for name, _ in self.pairs}
        self.never = len(self.pairs) < len(expected) or len(names) < len(self.pairs)

    def passes(self, headers: Sequence[tuple[str, Any]]) -> bool:
        """Whether a record with these headers is for the session."""
        if not self.pairs:
            return not self.never
        return not self.never and self.passes_first(first_texts(headers))

    def passes_first(self, first: dict[str, str | None]) -> bool:
        """The same, for headers prepared by `first_texts`."""
        return all(first.get(name) == text for name, text in self.pairs)


def first_texts(headers: Sequence[tuple[str, Any]]) -> dict[str, str | None]:
    """Header name → text of its first occurrence."""
    first: dict[str, str | None] = {}
    for name, value in headers:
        if name not in first:
            first[name] = value if type(value) is str else header_text(value)
    return first


class FilterIndex(Generic[Subscriber]):
    """Subscribers by what they want to see."""

    def __init__(self) -> None:
        self._everything: dict[Subscriber, None] = {}
        self._buckets: dict[Pair, dict[Subscriber, Filter]] = {}
        self._filed: dict[Subscriber, Pair | None] = {}

    def __len__(self) -> int:
        return len(self._filed)

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(tuple(self._filed))

    def __contains__(self, subscriber: Subscriber) -> bool:
        return subscriber in self._filed

    def add(self, subscriber: Subscriber, filter: Filter) -> None:
        """File the subscriber under its rarest pair (a literal shared by all would find all of them)."""
        pair: Pair | None = None
        if filter.pairs and not filter.never:
            pair = min(filter.pairs, key=lambda candidate: len(self._buckets.get(candidate, ())))
            self._buckets.setdefault(pair, {})[subscriber] = filter
        elif not filter.never:
            self._everything[subscriber] = None
        self._filed[subscriber] = pair

    def remove(self, subscriber: Subscriber) -> None:
        """Forget the subscriber; nothing happens if it is not there."""
        pair = self._filed.pop(subscriber, None)
        self._everything.pop(subscriber, None)
        if pair is not None:
            bucket = self._buckets[pair]
            del bucket[subscriber]
            if not bucket:
                del self._buckets[pair]

    def matching(self, headers: Sequence[tuple[str, Any]]) -> list[Subscriber]:
        """Every subscriber whose filter the record passes."""
        found = list(self._everything)
        if headers and self._buckets:
            first = first_texts(headers)
            for name, text in first.items():
                bucket = self._buckets.get((name, text)) if text is not None else None
                if bucket:
                    found.extend(each for each, filter in bucket.items() if filter.passes_first(first))
        return found
