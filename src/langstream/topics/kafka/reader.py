"""Reads every partition of a topic without a group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from langstream.errors import BrokerUnavailable, InvalidPosition, TopicError
from langstream.topics.contract import Fetched, Position, decode_position
from langstream.topics.kafka.buffer import Buffer, Buffers, by_partition
from langstream.topics.kafka.catalogue import Catalogue
from langstream.topics.kafka.failures import topic_error
from langstream.topics.kafka.feed import Feed, partition_ended
from langstream.topics.kafka.schemas import TopicForm

ARRIVAL_SECONDS: Final = 30.0
"""A read that knows of records which are on their way waits so long for them, whatever its timeout."""

_log = logging.getLogger(__name__)


class KafkaReader:
    """See `TopicReader`."""

    def __init__(
        self,
        topic: str,
        position: Position,
        make: Callable[[], Consumer],
        catalogue: Catalogue,
        form: TopicForm | None = None,
    ) -> None:
        self._topic = topic
        self._position = position
        self._catalogue = catalogue
        self._form = form
        self._feed = Feed(self, make, f"kafka reader of {topic}")
        self._buffers = Buffers()
        self._starts: dict[int, int] = {}
        self._wake = asyncio.Event()
        self._failure: TopicError | None = None
        self._fed: asyncio.Task[None] | None = None
        self._started = self._closed = False

    async def start(self) -> None:
        """Look the ends up, so that what is sent from now on will be read."""
        partitions = (await self._catalogue.topic(self._topic)).partitions
        bounds = await self._catalogue.settled_bounds(self._topic, partitions)
        self._starts = self._offsets(bounds)
        for number, offset in self._starts.items():
            buffer = Buffer(self._topic, number, offset)
            buffer.known = bounds[number][1]
            buffer.end = offset if offset == buffer.known else None
            self._buffers.open(buffer)
        self._started = True

    async def read(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """As `TopicConsumer.poll`; never empty while records are known that have not arrived yet."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while True:
            if self._failure:
                raise self._failure
            if not self._started or self._closed:
                raise RuntimeError("the reader is not started, or closed")
            await self._feeding()
            if self._form is not None:
                await self._form.learn()
            fetched, count, size = self._buffers.take(max_records)
            if fetched:
                self._feed.taken(count, size)
                return fetched if self._form is None else self._form.read(fetched)
            self._wake.clear()
            patience = 0.0 if self._buffers.complete() else ARRIVAL_SECONDS
            remaining = max(deadline, loop.time() + patience) - loop.time()
            if remaining <= 0:
                return ()
            try:
                async with asyncio.timeout(remaining):
                    await self._wake.wait()
            except TimeoutError:
                if not self._buffers.complete():
                    return ()

    async def _feeding(self) -> None:
        """The client is made by the first read: a session that joins others at the end of the topic needs none."""
        if self._fed is None:
            self._fed = asyncio.create_task(self._feed.start(), name=f"start of a kafka reader of {self._topic}")
        if not self._fed.done() or self._fed.exception():
            await asyncio.shield(self._fed)

    def next_offsets(self) -> Mapping[int, int]:
        """After what `read` returned; records read ahead do not count."""
        return {
            buffer.partition: self._starts[buffer.partition] if buffer.delivered is None else buffer.delivered
            for buffer in self._buffers
        }

    async def close(self) -> None:
        """Let go of the client."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        await self._feed.stop()

    # --- the feed ---------------------------------------------------------------------------------------------------

    def prepare(self, client: Consumer) -> None:
        """Begin at the chosen offsets."""
        client.assign([TopicPartition(self._topic, number, offset) for number, offset in self._starts.items()])

    def deliver(self, messages: list[Message]) -> None:
        """Sort what was read into the buffers."""
        for number, part in by_partition(messages).items():
            buffer = self._buffers.get(number)
            records = [message for message in part if message.error() is None]
            if records and buffer is not None:
                if self._form is not None:
                    self._form.saw(records)
                buffer.add(records)
            for message in part:
                if message.error() is not None:
                    self._feed.taken(1, len(message))
                    self._heard(message, buffer)
        self._wake.set()

    def broken(self, error: BaseException) -> None:
        """The thread ended."""
        if isinstance(error, KafkaException):
            self._failure = topic_error(error, f"reading topic {self._topic}")
        else:
            self._failure = TopicError(f"reading topic {self._topic}: {type(error).__name__}: {error}")
        self._wake.set()

    def _heard(self, message: Message, buffer: Buffer | None) -> None:
        error = message.error()
        assert error is not None
        if partition_ended(message):
            offset = message.offset()
            if buffer is not None and offset is not None:
                buffer.ended(offset)
            return
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return  # a reader has no group; the client asks for one all the same
        failure = topic_error(error, f"reading topic {self._topic}")
        if isinstance(failure, BrokerUnavailable) and not error.fatal():
            _log.warning("%s", failure)
        else:
            self._failure = failure

    def _offsets(self, bounds: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        if self._position == "latest":
            return {number: end for number, (_, end) in bounds.items()}
        if self._position == "earliest":
            return {number: first for number, (first, _) in bounds.items()}
        if not isinstance(self._position, bytes):
            raise InvalidPosition(f"{self._position!r} is not a position: expected 'latest', 'earliest' or bytes")
        given = decode_position(self._position)
        unknown = [number for number in given if number not in bounds]
        if unknown:
            raise InvalidPosition(
                f"this position names partition {unknown[0]}, but topic {self._topic} has {len(bounds)}; "
                "it was handed out for another topic"
            )
        # A partition that the token does not name was empty when the token was made.
        return {number: min(max(given.get(number, 0), first), end) for number, (first, end) in bounds.items()}
