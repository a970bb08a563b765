"""Rows read ahead of the consumer: runs of one partition, handed out in pieces of any size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from langstream.topics.contract import Fetched
from langstream.topics.encoding import records_of
from langstream.topics.local.log import Run


class Buffer:
    """Runs of one partition in order; `position` is the offset to read from the log next."""

    __slots__ = ("_runs", "_start", "delivered", "partition", "position", "topic")

    def __init__(self, topic: str, partition: int, position: int) -> None:
        self.topic = topic
        self.partition = partition
        self.position = position
        self.delivered = position
        self._runs: deque[Run] = deque()
        self._start = 0

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, runs: Iterable[Run]) -> None:
        """Append what was read from `position` on."""
        for run in runs:
            self._runs.append(run)
            self.position = run.offsets[-1] + 1

    def take(self, max_records: int) -> list[Fetched]:
        """The next records, at most so many."""
        fetched: list[Fetched] = []
        while self._runs and max_records > 0:
            offsets, rows = self._runs[0]
            stop = min(len(rows), self._start + max_records)
            if self._start or stop < len(rows):
                offsets, rows = offsets[self._start : stop], rows[self._start : stop]
            if stop < len(self._runs[0].rows):
                self._start = stop
            else:
                self._runs.popleft()
                self._start = 0
            fetched.append(Fetched(self.topic, self.partition, offsets, records_of(rows, self.topic)))
            max_records -= len(rows)
            self.delivered = offsets[-1] + 1
        return fetched
