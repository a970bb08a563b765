"""Batches of a source, each in a transaction that also notes its name.

The note is the metadata of a committed offset: that of a consumer group which bears the publisher's name and has no
members, on partition 0 of the topic. (The offset itself means nothing and is 0.) The transactional id is made of the
name too, so that whoever starts the publisher ends what was left open, and fences whoever had it before.

Brokers forget offsets of a group without members after `offsets.retention.minutes`, seven days unless set otherwise,
counted from the last batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from langstream.errors import Fenced, TopicError
from langstream.records import Record
from langstream.topics.kafka.catalogue import Catalogue
from langstream.topics.kafka.consumer import ATTEMPT_SECONDS, ATTEMPTS
from langstream.topics.kafka.failures import reason, topic_error
from langstream.topics.kafka.producer import Encoder
from langstream.topics.kafka.sender import Batch
from langstream.topics.kafka.threads import Threads
from langstream.topics.kafka.transactions import to_its_end
from langstream.topics.kafka.transactor import TAKEN, Transactor, Unfinished, Unknown

NOTE_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class KafkaPublisher:
    """See `TopicPublisher`. Both `make` functions give a client for the publisher's name."""

    def __init__(
        self,
        name: str,
        topic: str,
        make: Callable[[str], Producer],
        make_consumer: Callable[[str], Consumer],
        encoder: Encoder,
        catalogue: Catalogue,
        threads: Threads,
    ) -> None:
        self._name = name
        self._topic = topic
        self._make_consumer = make_consumer
        self._encoder = encoder
        self._catalogue = catalogue
        self._threads = threads
        self._transactor = Transactor(make, threads)
        self._working = asyncio.Lock()
        self._group: Any = None
        self._noted: str | None = None
        self._started = False

    async def start(self) -> str | None:
        """End what was left open, then read the note."""
        await self._catalogue.topic(self._topic)
        async with self._working:
            await self._transactor.drop()
            try:
                self._noted = await self._take_over()
            except KafkaException as error:
                raise topic_error(error, f"taking over what {self._name} publishes") from error
            self._started = True
            return self._noted

    async def publish(self, batch: str, sends: Sequence[tuple[str, Sequence[Record]]]) -> None:
        """Once begun it ends, even if the caller is cancelled."""
        if not self._started:
            raise RuntimeError("the publisher is not started: await publisher.start() first")
        encoded = [await self._encoder.batch(topic, records) for topic, records in sends if records]
        try:
            await to_its_end(self._publish(batch, encoded))
        except TopicError:
            for topic, _ in sends:
                self._catalogue.forget(topic)
            raise

    async def close(self) -> None:
        """After the transaction under way."""
        async with self._working:
            await self._transactor.drop()
            self._started = False

    async def _publish(self, batch: str, sends: Sequence[Batch]) -> None:
        doing = f"publishing as {self._name}"
        note = [KafkaPartition(self._topic, 0, 0, batch)]
        async with self._working:
            for attempt in range(ATTEMPTS + 1):
                try:
                    await self._connect_again(batch)
                    if self._noted == batch:
                        return
                    await self._transactor.attempt(sends, note, self._group)
                    self._noted = batch
                    return
                except Unknown as error:  # the note tells
                    await self._transactor.drop()
                    if attempt == ATTEMPTS:
                        raise topic_error(error.error, doing) from error.error
                    _log.info("%s: %s; looking", doing, error)
                except Unfinished as error:
                    if not (error.again or reason(error.error).code() in TAKEN) or attempt == ATTEMPTS:
                        raise topic_error(error.error, doing) from error.error
                except KafkaException as error:
                    await self._transactor.drop()
                    raise topic_error(error, doing) from error
                await asyncio.sleep(ATTEMPT_SECONDS)

    async def _connect_again(self, batch: str) -> None:
        """A client that was given up is replaced, unless somebody else has published since."""
        if self._transactor.connected:
            return
        noted = await self._take_over()
        if noted not in (self._noted, batch):
            await self._transactor.drop()
            raise Fenced(
                f"another process publishes as {self._name} now, so nothing was written. Is the application running "
                "twice?"
            )
        self._noted = noted

    async def _take_over(self) -> str | None:
        """A client of that name, and the note as it is once nobody else can change it."""
        await self._transactor.connect(self._name)
        try:
            self._group, noted = await self._threads.run(self._look)
        except BaseException:
            await self._transactor.drop()
            raise
        return noted

    def _look(self) -> tuple[Any, str | None]:
        """In a thread."""
        client = self._make_consumer(self._name)
        try:
            (place,) = client.committed([KafkaPartition(self._topic, 0)], NOTE_SECONDS)
            if place.error:
                raise KafkaException(place.error)
            return client.consumer_group_metadata(), place.metadata if place.offset >= 0 else None
        finally:
            client.close()
