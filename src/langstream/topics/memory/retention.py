"""Retention and compaction of a partition kept in lists."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import islice

from langstream.topics.encoding import EncodedAvro, Row, identity
from langstream.topics.settings import Cleanup


@dataclass(slots=True)
class Partition:
    """Rows of one partition and their offsets; `next` is the offset of the next row."""

    offsets: list[int] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    next: int = 0
    compacted: int = 0
    """How many rows the last compaction left."""
    _measured: int = 0
    _bytes: int = 0

    def first(self) -> int:
        """The first kept offset."""
        return self.offsets[0] if self.offsets else self.next

    def index(self, offset: int) -> int:
        """The place of the first row at or after the offset."""
        return bisect_left(self.offsets, offset)

    def size(self) -> int:
        """Bytes of all rows; counts only those that came since it was asked last."""
        self._bytes += sum(map(row_size, islice(self.rows, self._measured, None)))
        self._measured = len(self.rows)
        return self._bytes

    def remove_first(self, count: int) -> None:
        """Remove rows from the front."""
        if count:
            self._bytes = self.size() - sum(map(row_size, islice(self.rows, count)))
            del self.offsets[:count], self.rows[:count]
            self._measured = len(self.rows)
            self.compacted = max(0, self.compacted - count)

    def replace(self, offsets: list[int], rows: list[Row]) -> None:
        """Keep only these."""
        self.offsets, self.rows = offsets, rows
        self._bytes = self._measured = 0
        self.compacted = len(rows)

    def append(self, rows: list[Row]) -> None:
        """Add rows at the end."""
        self.offsets.extend(range(self.next, self.next + len(rows)))
        self.rows.extend(rows)
        self.next += len(rows)


def clean(partition: Partition, rules: Cleanup, now_ms: int) -> None:
    """Remove what the rules allow to remove."""
    if rules.compact and partition.rows and len(partition.rows) >= 2 * partition.compacted:
        _compact(partition, now_ms - rules.tombstones_ms)
    removable = 0
    if rules.retention_ms is not None:
        oldest = now_ms - rules.retention_ms
        while removable < len(partition.rows) and partition.rows[removable][0] < oldest:
            removable += 1
    if rules.retention_bytes is not None:
        excess = partition.size() - sum(map(row_size, partition.rows[:removable])) - rules.retention_bytes
        while excess > 0 and removable < len(partition.rows) - 1:
            excess -= row_size(partition.rows[removable])
            removable += 1
    partition.remove_first(removable)


def _compact(partition: Partition, oldest_tombstone_ms: int) -> None:
    """Keep the last row of every key, rows without a key, and young tombstones."""
    last = {
        identity(row[1]): offset
        for offset, row in zip(partition.offsets, partition.rows, strict=True)
        if row[1] is not None
    }
    kept = [
        (offset, row)
        for offset, row in zip(partition.offsets, partition.rows, strict=True)
        if row[1] is None
        or (last[identity(row[1])] == offset and not (row[2] is None and row[0] < oldest_tombstone_ms))
    ]
    partition.replace([offset for offset, _ in kept], [row for _, row in kept])


def row_size(row: Row) -> int:
    """The bytes of key, value and headers, and eight for the timestamp."""
    _, key, value, headers = row
    size = 8 + _length(key) + _length(value)
    for name, content in headers or ():
        size += len(name) + _length(content)
    return size


def _length(value: str | bytes | EncodedAvro | None) -> int:
    if value is None:
        return 0
    return len(value.binary) if isinstance(value, EncodedAvro) else len(value)
