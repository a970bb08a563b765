"""Chunk records: pieces of an answer written to `stream-to-topic` while the model still speaks.

The first record holds one chunk, the next ones two, four, eight … up to `most`, so that the reader sees something at
once and the topic is not flooded later. Records leave in order: each is acknowledged before the next is sent.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field

from langstream.agents.working_record import ResultField, WorkingRecord
from langstream.errors import LangStreamError
from langstream.records import SimpleRecord
from langstream.sdk.contract import TopicWriter
from langstream.services.ai.contract import Chunk

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChunkStream:
    """Where and how an agent's chunk records are written."""

    writer: TopicWriter
    topic: str
    store: ResultField
    most: int

    def publisher(self, record: SimpleRecord) -> ChunkPublisher:
        """The publisher of one answer to the record."""
        return ChunkPublisher(self, record)


@dataclass(slots=True)
class ChunkPublisher:
    """Groups the chunks of one answer. `sent` counts the records written, or tried."""

    stream: ChunkStream
    record: SimpleRecord
    sent: int = 0
    _threshold: int = 1
    _texts: list[str] = field(default_factory=list)
    _answer_id: str = ""

    async def add(self, chunk: Chunk) -> None:
        """Take a chunk; write a record if the group is full or the answer ends.

        A topic that cannot be written costs the reader chunks, which the gap in `stream-index` shows, not the answer.
        """
        self._answer_id = self._answer_id or chunk.answer_id or str(uuid.uuid4())
        self._texts.append(chunk.text)
        if not chunk.last and len(self._texts) < self._threshold:
            return
        message = self._message("".join(self._texts), last=chunk.last)
        self._texts.clear()
        self._threshold = min(self._threshold * 2, self.stream.most)
        try:
            await self.stream.writer.send(self.stream.topic, [message])
        except LangStreamError as error:
            LOG.warning("A piece of an answer could not be written to topic %r: %s", self.stream.topic, error)

    def _message(self, text: str, *, last: bool) -> SimpleRecord:
        self.sent += 1
        working = WorkingRecord(self.record)
        working.destination_topic = None
        self.stream.store(working, text)
        working.set_property("stream-id", self._answer_id)
        working.set_property("stream-index", str(self.sent))
        working.set_property("stream-last-message", "true" if last else "false")
        return working.to_record()
