"""Reads every partition of a topic without a group."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import _pulsar

from langstream.errors import InvalidPosition, TopicError
from langstream.topics.contract import Fetched, Position, decode_position
from langstream.topics.pulsar.bridge import answer, ignore
from langstream.topics.pulsar.catalogue import Catalogue, Known
from langstream.topics.pulsar.claim import Stream
from langstream.topics.pulsar.failures import topic_error
from langstream.topics.pulsar.group import Attaching
from langstream.topics.pulsar.position import entry_of, nothing_before

ARRIVAL_SECONDS: Final = 10.0
"""A read that knows of records which are on their way waits so long for them, whatever its timeout."""


class PulsarReader:
    """See `TopicReader`."""

    def __init__(self, topic: str, position: Position, attaching: Attaching, catalogue: Catalogue) -> None:
        self._topic = topic
        self._position = position
        self._attaching = attaching
        self._catalogue = catalogue
        self._streams: dict[int, Stream] = {}
        self._ends: dict[int, int] = {}
        self._turn = 0
        self._wake = asyncio.Event()
        self._failure: TopicError | None = None
        self._started = self._closed = False

    async def start(self) -> None:
        """Look the ends up, so that what is sent from now on will be read."""
        self._catalogue.forget(self._topic)
        known = await self._catalogue.topic(self._topic)
        self._ends = await self._catalogue.ends(known)
        starts = self._starts(self._ends)
        compacted = await self._catalogue.compacted(self._topic)
        try:
            await asyncio.gather(*(self._open(known, number, start, compacted) for number, start in starts.items()))
        except BaseException:
            await self.close()
            raise
        self._started = True

    async def read(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """As `TopicConsumer.poll`; never empty while records are known that have not arrived yet."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        patience = loop.time() + ARRIVAL_SECONDS
        while True:
            if self._failure:
                raise self._failure
            if not self._started or self._closed:
                raise RuntimeError("the reader is not started, or closed")
            fetched = self._take(max_records)
            if fetched:
                return fetched
            self._wake.clear()
            remaining = (deadline if self._complete() else max(deadline, patience)) - loop.time()
            if remaining <= 0:
                self._ends = {}  # whatever is missing was compacted away
                return ()
            try:
                async with asyncio.timeout(remaining):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def next_offsets(self) -> Mapping[int, int]:
        """After what `read` returned; records read ahead do not count."""
        return {number: stream.buffer.delivered for number, stream in sorted(self._streams.items())}

    async def close(self) -> None:
        """Let go of the client's readers."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        await asyncio.gather(*(stream.close() for stream in self._streams.values()))

    # --- parts ------------------------------------------------------------------------------------------------------

    async def _open(self, known: Known, number: int, start: int, compacted: bool) -> None:
        stream = Stream(self._topic, number, start, self._wake.set, self._broken)
        configuration = _pulsar.ReaderConfiguration()
        configuration.subscription_role_prefix("langstream")
        configuration.start_message_id_inclusive(True)
        configuration.read_compacted(compacted)
        full = self._catalogue.namespace.full(known.part(number))
        identity = _pulsar.MessageId.earliest if start == 0 else _pulsar.MessageId(number, *entry_of(start), -1)
        client = await answer(
            lambda answered: self._attaching.read(full, identity, configuration, answered),
            f"reading topic {self._topic}",
            late=lambda client: client.close_async(ignore),
        )
        stream.open(
            client, client.read_next, self._attaching.versions(full), f"pulsar reader of {self._topic}/{number}"
        )
        self._streams[number] = stream

    def _take(self, max_records: int) -> list[Fetched]:
        streams = list(self._streams.values())
        start = self._turn % len(streams) if streams else 0
        self._turn += 1
        fetched: list[Fetched] = []
        for stream in streams[start:] + streams[:start]:
            if max_records <= 0:
                break
            taken = stream.take(max_records)
            for run in taken:
                stream.release(run.next_offset)
            fetched += taken
            max_records -= sum(len(run.offsets) for run in taken)
        return fetched

    def _complete(self) -> bool:
        return all(
            self._streams[number].buffer.position >= end or nothing_before(end) for number, end in self._ends.items()
        )

    def _broken(self, error: Exception) -> None:
        self._failure = topic_error(error, f"reading topic {self._topic}")
        self._wake.set()

    def _starts(self, ends: Mapping[int, int]) -> dict[int, int]:
        if self._position == "latest":
            return dict(ends)
        if self._position == "earliest":
            return dict.fromkeys(ends, 0)
        if not isinstance(self._position, bytes):
            raise InvalidPosition(f"{self._position!r} is not a position: expected 'latest', 'earliest' or bytes")
        given = decode_position(self._position)
        unknown = [number for number in given if number not in ends]
        if unknown:
            raise InvalidPosition(
                f"this position names partition {unknown[0]}, but topic {self._topic} has {len(ends)}; "
                "it was handed out for another topic"
            )
        # A partition that the token does not name was empty when the token was made.
        return {number: min(given.get(number, 0), end) for number, end in ends.items()}
