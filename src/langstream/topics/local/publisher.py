"""Writes batches with a note of the last one, in one transaction of the log."""

from __future__ import annotations

from collections.abc import Sequence

from langstream.records import Record
from langstream.topics.local.log import Log, Note
from langstream.topics.local.producer import Writing


class LocalPublisher:
    """See `TopicPublisher`."""

    def __init__(self, log: Log, name: str, topic: str) -> None:
        self._log = log
        self._name = name
        self._topic = topic
        self._writing = Writing(log)
        self._epoch = 0
        self._batch: str | None = None

    async def start(self) -> str | None:
        """Take the note over."""
        await self._log.topic(self._topic)
        self._epoch, self._batch = await self._log.take_over(self._name)
        return self._batch

    async def publish(self, batch: str, sends: Sequence[tuple[str, Sequence[Record]]]) -> None:
        """Records and note at once."""
        if not self._epoch:
            raise RuntimeError("the publisher is not started: await publisher.start() first")
        if batch != self._batch:
            await self._writing.write(sends, note=Note(self._name, self._epoch, batch))
            self._batch = batch

    async def close(self) -> None:
        """Nothing to close."""
