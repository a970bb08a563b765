"""Chunk records: pieces of an answer written to `stream-to-topic` while the model still speaks.

The first record holds one chunk, the next ones two, four, eight … up to `most`, so that the reader sees something at
once and the topic is not flooded later. Records leave in order: each is acknowledged before the next is sent.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from langstream.agents.working_record import ResultField, WorkingRecord
from langstream.errors import LangStreamError
from langstream.records import SimpleRecord
from langstream.sdk.contract import TopicWriter, nobody_waits
from langstream.services.ai.contract import Chunk

LOG = logging.getLogger(__name__)

CANCELLED: Final = "stream-cancelled"
"""On the last record of an answer that was not finished, because nobody waited for it."""
FAREWELL_SECONDS: Final = 5.0
"""For that record: the answers that wait for this one are not to wait for a broker that is away."""


@dataclass(frozen=True, slots=True)
class ChunkStream:
    """Where and how an agent's chunk records are written."""

    writer: TopicWriter
    topic: str
    store: ResultField
    most: int
    told: set[int] = field(default_factory=set)
    """Identities of records whose answers are complete for their readers, though not for the agent."""

    def publisher(self, record: SimpleRecord) -> ChunkPublisher:
        """The publisher of one answer to the record."""
        return ChunkPublisher(self, record)


class Publisher(Protocol):
    """Where the chunks of one answer go, which may come in several parts (calls of tools lie between them)."""

    def begin(self) -> None:
        """A part is asked for."""

    def take_back(self) -> bool:
        """Forget the chunks since `begin`; false if a reader may have seen some of them."""

    async def add(self, chunk: Chunk) -> None:
        """Take a chunk. That it is the last one of its part means nothing here."""

    async def finish(self) -> None:
        """The answer is complete."""

    async def break_off(self) -> None:
        """It will never be: tell those who have seen a part of it."""


@asynccontextmanager
async def cancellable(publisher: Publisher) -> AsyncIterator[None]:
    """Where the block is cancelled because nobody waits for the answer, its readers are told."""
    try:
        yield
    except asyncio.CancelledError as error:
        if nobody_waits(error):
            await publisher.break_off()
        raise


class NoPublisher:
    """Where nobody listens."""

    def begin(self) -> None:
        """Nothing to do."""

    def take_back(self) -> bool:
        """Nobody has seen anything."""
        return True

    async def add(self, chunk: Chunk) -> None:
        """Forget it."""

    async def finish(self) -> None:
        """Nothing to do."""

    async def break_off(self) -> None:
        """Nothing to do."""


@dataclass(slots=True)
class ChunkPublisher:
    """Groups the chunks of one answer. `sent` counts the records written, or tried."""

    stream: ChunkStream
    record: SimpleRecord
    sent: int = 0
    _threshold: int = 1
    _texts: list[str] = field(default_factory=list)
    _answer_id: str = ""
    _begun: tuple[int, int] = (0, 0)

    def begin(self) -> None:
        """A part is asked for."""
        self._begun = self.sent, len(self._texts)

    def take_back(self) -> bool:
        """Forget the chunks since `begin`; false if a record has been written since."""
        sent, kept = self._begun
        if self.sent != sent:
            return False
        del self._texts[kept:]
        self._answer_id = self._answer_id if sent else ""
        return True

    async def add(self, chunk: Chunk) -> None:
        """Take a chunk; write a record if the group is full. The end of the answer is written by `finish`."""
        self._answer_id = self._answer_id or chunk.answer_id
        if chunk.text or not chunk.last:
            self._texts.append(chunk.text)
        if not chunk.last and len(self._texts) >= self._threshold:
            await self._write(last=False)

    async def finish(self) -> None:
        """Write what is left, as the last record."""
        self.stream.told.add(id(self.record))
        await self._write(last=True)

    async def break_off(self) -> None:
        """Write what is left as the last record, and that it is none of a whole answer. Nothing where nobody has seen
        a piece."""
        if not self.sent:
            return
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._write(last=True, cancelled=True)
        except TimeoutError:
            LOG.warning("The end of a cancelled answer could not be written to topic %r in time", self.stream.topic)

    async def _write(self, *, last: bool, cancelled: bool = False) -> None:
        """A topic that cannot be written costs the reader chunks, which the gap in `stream-index` shows, not the
        answer."""
        self._answer_id = self._answer_id or str(uuid.uuid4())
        message = self._message("".join(self._texts), last=last, cancelled=cancelled)
        self._texts.clear()
        self._threshold = min(self._threshold * 2, self.stream.most)
        try:
            await self.stream.writer.send(self.stream.topic, [message])
        except LangStreamError as error:
            LOG.warning("A piece of an answer could not be written to topic %r: %s", self.stream.topic, error)

    def _message(self, text: str, *, last: bool, cancelled: bool) -> SimpleRecord:
        self.sent += 1
        working = WorkingRecord(self.record)
        working.destination_topic = None
        self.stream.store(working, text)
        working.set_property("stream-id", self._answer_id)
        working.set_property("stream-index", str(self.sent))
        working.set_property("stream-last-message", "true" if last else "false")
        if cancelled:
            working.set_property(CANCELLED, "true")
        return working.to_record()
