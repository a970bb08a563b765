"""Waking those who wait: for records of a topic, or for a change in its consumer groups.

Belongs to one event loop. Nobody polls inside a process; a log that other processes write to calls `notify` for what
they did.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Signals:
    """Events by topic id."""

    def __init__(self) -> None:
        self._records: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._groups: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self.waiting = 0
        """How many are waiting for records, or about to."""

    def watch_records(self, topic: int, event: asyncio.Event) -> None:
        """Set the event whenever the topic may have new records."""
        self._records[topic].add(event)

    def watch_groups(self, topic: int, event: asyncio.Event) -> None:
        """Set the event whenever members or claims of the topic's groups changed."""
        self._groups[topic].add(event)

    def unwatch(self, topic: int, event: asyncio.Event) -> None:
        """Forget the event."""
        for watchers in (self._records, self._groups):
            watchers[topic].discard(event)
            if not watchers[topic]:
                del watchers[topic]

    def records_changed(self, topics: Iterable[int]) -> None:
        """Wake those who wait for records."""
        _set(self._records, topics)

    def groups_changed(self, topics: Iterable[int]) -> None:
        """Wake the members of the topics' groups."""
        _set(self._groups, topics)

    def everything_changed(self) -> None:
        """Wake everybody."""
        _set(self._records, list(self._records))
        _set(self._groups, list(self._groups))

    def watched_groups(self) -> tuple[int, ...]:
        """Topics with members in this process."""
        return tuple(self._groups)

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Around a look at the log and the wait that follows when nothing was there."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1


def _set(watchers: defaultdict[int, set[asyncio.Event]], topics: Iterable[int]) -> None:
    for topic in topics:
        for event in watchers.get(topic, ()):
            event.set()
