"""Reads every partition of a topic without a group."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from langstream.errors import InvalidPosition
from langstream.topics.contract import Fetched, Position, decode_position
from langstream.topics.local.buffer import Buffer
from langstream.topics.local.log import Bounds, Log, Topic


class LocalReader:
    """See `TopicReader`."""

    def __init__(self, log: Log, topic: str, position: Position) -> None:
        self._log = log
        self._name = topic
        self._position = position
        self._topic: Topic | None = None
        self._buffers: list[Buffer] = []
        self._wake = asyncio.Event()
        self._turn = 0

    async def start(self) -> None:
        """Look the ends up, so that what is sent from now on will be read."""
        topic = await self._log.topic(self._name)
        bounds = await self._log.bounds(topic.partitions)
        ends = [bounds[partition] for partition in topic.partitions]
        offsets = self._offsets(ends)
        self._buffers = [Buffer(self._name, number, offset) for number, offset in enumerate(offsets)]
        self._topic = topic
        self._log.signals.watch_records(topic.id, self._wake)

    async def read(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """As `TopicConsumer.poll`."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            if self._topic is None:
                raise RuntimeError("the reader is not started, or closed")
            fetched = self._take(max_records)
            if fetched:
                return fetched
            with self._log.signals.wait():
                self._wake.clear()
                if await self._read_ahead(self._topic, max_records):
                    continue
                remaining = deadline - asyncio.get_running_loop().time()
                if remaining <= 0:
                    return ()
                with suppress(TimeoutError):
                    async with asyncio.timeout(remaining):
                        await self._wake.wait()

    def next_offsets(self) -> Mapping[int, int]:
        """After what `read` returned; records read ahead do not count."""
        return {buffer.partition: buffer.delivered for buffer in self._buffers}

    async def close(self) -> None:
        """Stop listening."""
        topic, self._topic = self._topic, None
        if topic:
            self._log.signals.unwatch(topic.id, self._wake)
        self._wake.set()

    def _offsets(self, ends: Sequence[Bounds]) -> list[int]:
        if self._position == "latest":
            return [end.next for end in ends]
        if self._position == "earliest":
            return [end.first for end in ends]
        if not isinstance(self._position, bytes):
            raise InvalidPosition(f"{self._position!r} is not a position: expected 'latest', 'earliest' or bytes")
        given = decode_position(self._position)
        unknown = [number for number in given if number >= len(ends)]
        if unknown:
            raise InvalidPosition(
                f"this position names partition {unknown[0]}, but topic {self._name} has {len(ends)}; "
                "it was handed out for another topic"
            )
        # A partition that the token does not name was empty when the token was made.
        return [min(given.get(number, 0), end.next) for number, end in enumerate(ends)]

    def _take(self, max_records: int) -> list[Fetched]:
        fetched: list[Fetched] = []
        self._turn += 1
        count = len(self._buffers)
        for step in range(count):
            taken = self._buffers[(self._turn + step) % count].take(max_records)
            fetched += taken
            max_records -= sum(len(run.records) for run in taken)
            if max_records <= 0:
                break
        return fetched

    async def _read_ahead(self, topic: Topic, max_records: int) -> bool:
        found = False
        for buffer in self._buffers:
            runs = await self._log.read(topic.partitions[buffer.partition], buffer.position, max_records)
            buffer.add(runs)
            found = found or bool(runs)
        return found
