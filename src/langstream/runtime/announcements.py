"""Listening for cancellations: one reader of their topic for all nodes of the process.

What was announced before the process began is read too, as far back as it is remembered: a question that waited in its
topic while the nodes were away is not asked after all. A topic that cannot be read costs cancellations, never records.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from langstream.errors import InvalidPosition, TopicError
from langstream.runtime.cancellation import Cancellations, read_cancellation
from langstream.topics.contract import Fetched, Position, TopicCluster, TopicReader, encode_position

READ_RECORDS: Final = 1_000
READ_SECONDS: Final = 5.0
TOGETHER_SECONDS: Final = 0.02
"""Nodes look through what is in flight for all that was announced in so long, not for each by itself."""
AGAIN_SECONDS: Final = (1.0, 30.0)
"""First and longest pause after the topic could not be read."""

_log = logging.getLogger(__name__)


class Announcements:
    """Give it to `start` and `close`. `known` has everything that was heard and is not too old."""

    def __init__(self, cluster: TopicCluster, topic: str) -> None:
        self.known = Cancellations()
        self._cluster = cluster
        self._topic = topic
        self._listeners: list[Callable[[Cancellations], None]] = []
        self._position: Position = "earliest"
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._listen(), name="reader of cancellations")

    async def close(self) -> None:
        """Stop listening."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def follow(self, listener: Callable[[Cancellations], None]) -> None:
        """Tell the listener of all news. It must not wait."""
        self._listeners.append(listener)

    def leave(self, listener: Callable[[Cancellations], None]) -> None:
        """Tell it no more."""
        with suppress(ValueError):
            self._listeners.remove(listener)

    async def _listen(self) -> None:
        pause = AGAIN_SECONDS[0]
        while True:
            reader: TopicReader | None = None
            try:
                reader = self._cluster.reader(self._topic, self._position)
                await reader.start()
                while True:
                    runs = await reader.read(READ_RECORDS, READ_SECONDS)
                    self._position = encode_position(reader.next_offsets())
                    pause = AGAIN_SECONDS[0]
                    if self._take(runs):
                        await asyncio.sleep(TOGETHER_SECONDS)
            except Exception as error:
                if isinstance(error, InvalidPosition):  # another topic has taken the place of this one
                    self._position = "earliest"
                _log.warning("topic %s cannot be read, nothing is cancelled meanwhile: %s", self._topic, error)
            finally:
                if reader is not None:
                    with suppress(TopicError):
                        await reader.close()
            await asyncio.sleep(pause)
            pause = min(pause * 2, AGAIN_SECONDS[1])

    def _take(self, runs: Sequence[Fetched]) -> bool:
        """Whether there were news."""
        news = Cancellations()
        for run in runs:
            for record in run.records:
                cancellation = read_cancellation(record)
                if cancellation is None:
                    _log.warning("a record on topic %s is no cancellation, and passed over", self._topic)
                    continue
                timestamp = record.timestamp()
                if self.known.add(cancellation, None if timestamp is None else timestamp / 1000):
                    news.add(cancellation)
        if news:
            for listener in list(self._listeners):
                listener(news)
        return bool(news)
