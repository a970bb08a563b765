"""Writes records: one wait per call, in order per key.

Equal keys go to the partition to which Java clients would send them; records without a key stay together, each call at
another partition. Sends go through a client shared by the cluster's producers, transactions through one of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from langstream.errors import RecordError, TopicError
from langstream.records import Record
from langstream.topics.contract import TopicConsumer, TopicPartition
from langstream.topics.encoding import Row, rows_of
from langstream.topics.kafka.catalogue import Catalogue
from langstream.topics.kafka.consumer import KafkaConsumer
from langstream.topics.kafka.schemas import Schemas, TopicForm
from langstream.topics.kafka.sender import Batch, Sender
from langstream.topics.kafka.transactions import Transactions
from langstream.topics.kafka.wire import payloads, payloads_of


class KafkaProducer:
    """See `TopicProducer`."""

    def __init__(self, sender: Sender, transactions: Transactions, catalogue: Catalogue, schemas: Schemas) -> None:
        self._sender = sender
        self._transactions = transactions
        self._catalogue = catalogue
        self._encoder = Encoder(catalogue, schemas)
        self._preparing = asyncio.Lock()
        self._closed = False

    async def start(self) -> None:
        """The clients are made when they are needed."""

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Returns when all are acknowledged. A failure may leave some of them written."""
        self._check_open()
        if not records:
            return
        try:
            async with self._preparing:  # a fair lock: what was sent first is first
                written = await self._sender.write(await self._encoder.batch(topic, records))
            await asyncio.shield(written)
        except TopicError:
            self._catalogue.forget(topic)
            raise

    async def transact(
        self,
        sends: Sequence[tuple[str, Sequence[Record]]],
        consumer: TopicConsumer,
        offsets: Mapping[TopicPartition, int],
    ) -> None:
        """Outputs and offsets in one transaction of the cluster."""
        self._check_open()
        if not isinstance(consumer, KafkaConsumer):
            raise TopicError("outputs and offsets can be committed together only on one cluster")
        claim = consumer.claim(offsets)  # before anything is waited for: later the partition may be owned anew
        batches = [await self._encoder.batch(topic, records) for topic, records in sends if records]
        try:
            await self._transactions.run(batches, consumer, claim)
        except TopicError:
            for topic, _ in sends:
                self._catalogue.forget(topic)
            raise

    async def close(self) -> None:
        """After the transaction under way."""
        if not self._closed:
            self._closed = True
            await self._transactions.close()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the producer is closed")


class Encoder:
    """Makes of records what the client takes."""

    def __init__(self, catalogue: Catalogue, schemas: Schemas) -> None:
        self._catalogue = catalogue
        self._schemas = schemas
        self._turn = 0

    async def batch(self, topic: str, records: Sequence[Record]) -> Batch:
        """With the partition for records without a key: the next one for each call."""
        form = self._schemas.form(topic)
        encoded = payloads_of(records) if form is None else payloads(await _formed(form, rows_of(records), records))
        known = await self._catalogue.topic(topic)
        self._turn += 1
        return Batch(topic, known.at, self._turn % known.partitions, encoded)


async def _formed(form: TopicForm, rows: Sequence[Row], records: Sequence[Record]) -> list[Row]:
    """The rows as the topic's schemas want them. A record that does not fit is named by the error."""
    formed = []
    for row, record in zip(rows, records, strict=True):
        try:
            formed.append(await form.written(row))
        except RecordError as error:
            error.record = record
            raise
    return formed
