"""Messages of one partition that were read ahead, handed out as runs of records in pieces of any size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from confluent_kafka import Message

from langstream.topics.contract import Fetched
from langstream.topics.kafka.wire import records

NO_PARTITION: Final = -1


class Buffer:
    """Messages in order. `delivered` is the next offset after what was handed out."""

    __slots__ = ("_chunks", "_skip", "_start", "delivered", "end", "known", "partition", "received", "topic")

    def __init__(self, topic: str, partition: int, position: int | None = None) -> None:
        self.topic = topic
        self.partition = partition
        self.received = position
        """The next offset after the last message; None until the first, where the client chose the start."""
        self.delivered = position
        self.end: int | None = None
        """Where the partition ended when the client came to its end; None while more is known to come."""
        self.known = 0
        """An offset before which there are records."""
        self._chunks: deque[list[Message]] = deque()
        self._start = 0
        self._skip: tuple[int, int] | None = None

    @property
    def empty(self) -> bool:
        """Everything was handed out."""
        return not self._chunks

    def add(self, messages: list[Message]) -> None:
        """Append what was read."""
        self._chunks.append(messages)
        offset = messages[-1].offset()
        self.received = (offset if offset is not None else 0) + 1
        self.end = self.received if self.received >= self.known else None

    def ended(self, offset: int) -> None:
        """There is nothing more before this offset: only marks of transactions, or nothing at all."""
        self.end = offset
        if self.received is not None and offset > self.received:
            self._skip = (self.received, offset)

    def beyond(self, offset: int) -> int:
        """The offset to commit: behind the marks of transactions that follow, so that no lag seems to be left."""
        return self._skip[1] if self._skip and self._skip[0] == offset else offset

    def take(self, most: int) -> tuple[Fetched, int]:
        """The next records, at most so many, and their size. Not for an empty buffer."""
        chunk, start = self._chunks[0], self._start
        stop = min(len(chunk), start + most)
        taken = chunk if start == 0 and stop == len(chunk) else chunk[start:stop]
        if stop == len(chunk):
            self._chunks.popleft()
            self._start = 0
        else:
            self._start = stop
        offsets, found = records(taken, self.topic)
        self.delivered = offsets[-1] + 1
        return Fetched(self.topic, self.partition, offsets, found), sum(map(len, taken))

    def clear(self) -> tuple[int, int]:
        """Forget everything; the number and size of what was there."""
        left = [message for chunk in self._chunks for message in chunk][self._start :]
        self._chunks.clear()
        self._start = 0
        return len(left), sum(map(len, left))


class Buffers:
    """Those of several partitions, taken in turn so that none starves."""

    def __init__(self) -> None:
        self._by_partition: dict[int, Buffer] = {}
        self._turn = 0

    def __iter__(self) -> Iterator[Buffer]:
        return iter(self._by_partition.values())

    def __contains__(self, partition: int) -> bool:
        return partition in self._by_partition

    def get(self, partition: int) -> Buffer | None:
        """The buffer of a partition, if it is read."""
        return self._by_partition.get(partition)

    def open(self, buffer: Buffer) -> None:
        """Begin with a partition."""
        self._by_partition[buffer.partition] = buffer

    def close(self, partition: int) -> tuple[int, int]:
        """Stop reading a partition; the number and size of what was read ahead for nothing."""
        buffer = self._by_partition.pop(partition, None)
        return (0, 0) if buffer is None else buffer.clear()

    def take(self, most: int) -> tuple[list[Fetched], int, int]:
        """Runs with at most so many records; their number and size."""
        order = list(self._by_partition.values())
        start = self._turn % len(order) if order else 0
        self._turn += 1
        fetched: list[Fetched] = []
        count = size = 0
        for buffer in order[start:] + order[:start]:
            while not buffer.empty and count < most:
                run, bytes_ = buffer.take(most - count)
                fetched.append(run)
                count += len(run.offsets)
                size += bytes_
        return fetched, count, size

    def complete(self) -> bool:
        """Every partition was read to its end, as far as that is known, and all of it handed out."""
        return all(buffer.end is not None and buffer.empty for buffer in self._by_partition.values())


def by_partition(messages: list[Message]) -> dict[int, list[Message]]:
    """The messages of each partition, in order."""
    divided: dict[int, list[Message]] = {}
    for message in messages:
        partition = message.partition()
        if partition is None:  # news of the client as a whole
            partition = NO_PARTITION
        if partition in divided:
            divided[partition].append(message)
        else:
            divided[partition] = [message]
    return divided
