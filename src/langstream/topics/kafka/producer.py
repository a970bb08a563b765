"""Writes records: one wait per call, however many records it has; in order per key, through every retry.

Sends go through an idempotent client, transactions through another one (see `transactions`). Equal keys go to the
partition to which Java clients would send them; records without a key stay together, each call at another partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from langstream.errors import BrokerUnavailable, TopicError
from langstream.records import Record
from langstream.topics.contract import TopicConsumer, TopicPartition
from langstream.topics.encoding import rows_of
from langstream.topics.kafka.catalogue import Catalogue
from langstream.topics.kafka.consumer import KafkaConsumer
from langstream.topics.kafka.failures import topic_error
from langstream.topics.kafka.feed import connect
from langstream.topics.kafka.threads import Threads
from langstream.topics.kafka.transactions import Transactions
from langstream.topics.kafka.wire import Payload, payloads

TICKS: Final = (0.0005, 0.02)
"""Shortest and longest time between two looks for acknowledgements, while some are missing."""
CLOSE_SECONDS: Final = 10.0


class KafkaProducer:
    """See `TopicProducer`."""

    def __init__(
        self, make: Callable[[], Producer], transactions: Transactions, catalogue: Catalogue, threads: Threads
    ) -> None:
        self._make = make
        self._transactions = transactions
        self._catalogue = catalogue
        self._threads = threads
        self._client: Producer | None = None
        self._sending: set[_Sending] = set()
        self._tick: asyncio.TimerHandle | None = None
        self._pause = TICKS[0]
        self._spread = Spread()
        self._opening = asyncio.Lock()
        self._closed = False

    async def start(self) -> None:
        """The clients are made when they are needed."""

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Returns when all are acknowledged. A failure may leave some of them written."""
        self._check_open()
        if not records:
            return
        batch = payloads(rows_of(records))
        count = self._catalogue.known(topic) or await self._catalogue.partitions(topic)
        sending = _Sending(topic, len(batch))
        client = self._client or await self._open_client()
        partition = self._spread.next(count)
        self._sending.add(sending)
        try:
            for index, payload in enumerate(batch):
                try:
                    produce(client, topic, partition, payload, sending.delivered)
                except (KafkaException, BufferError) as error:
                    sending.refused(error, len(batch) - index)
                    break
            self._watch()
            await asyncio.shield(sending.done)
        except TopicError:
            self._catalogue.forget(topic)
            raise
        finally:
            self._sending.discard(sending)

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
        encoded: list[tuple[str, int, list[Payload]]] = []
        for topic, records in sends:
            batch = payloads(rows_of(records))
            count = self._catalogue.known(topic) or await self._catalogue.partitions(topic)
            encoded.append((topic, self._spread.next(count), batch))
        await self._transactions.run(encoded, consumer, offsets)

    async def close(self) -> None:
        """Wait for what is under way, but not for ever."""
        if self._closed:
            return
        self._closed = True
        await self._transactions.close()
        client, self._client = self._client, None
        if self._tick is not None:
            self._tick.cancel()
        if client is not None:
            await self._threads.run(client.flush, CLOSE_SECONDS)
            for sending in list(self._sending):
                sending.give_up("the producer was closed")
            await self._threads.run(client.close)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the producer is closed")

    async def _open_client(self) -> Producer:
        async with self._opening:
            if self._client is None:
                try:
                    client = self._make()
                    await self._threads.run(connect, client)
                    self._client = client
                except KafkaException as error:
                    raise topic_error(error, "starting the Kafka producer") from error
        return self._client

    def _watch(self) -> None:
        """Look for acknowledgements from the event loop: from a thread, each would cost a fight for the interpreter."""
        self._pause = TICKS[0]
        if self._tick is None:
            self._tick = asyncio.get_running_loop().call_later(self._pause, self._look)

    def _look(self) -> None:
        self._tick = None
        client = self._client
        if client is None:
            return
        served = client.poll(0)
        if any(not sending.done.done() for sending in self._sending):
            self._pause = TICKS[0] if served else min(self._pause * 1.2, TICKS[1])
            self._tick = asyncio.get_running_loop().call_later(self._pause, self._look)


class Spread:
    """Chooses partitions for records without a key: the next one for each call."""

    def __init__(self) -> None:
        self._turn = 0

    def next(self, partitions: int) -> int:
        """The partition of this call."""
        self._turn += 1
        return self._turn % partitions


def produce(
    client: Producer,
    topic: str,
    unkeyed: int,
    payload: Payload,
    on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
) -> None:
    """Hand one record to the client."""
    key, value, headers, timestamp = payload
    options = {"on_delivery": on_delivery} if on_delivery else {}
    if headers:
        options["headers"] = headers  # type: ignore[assignment]
    if key is None:
        client.produce(topic, value, partition=unkeyed, timestamp=timestamp, **options)  # type: ignore[arg-type]
    else:
        client.produce(topic, value, key, timestamp=timestamp, **options)  # type: ignore[arg-type]


class _Sending:
    """One call of `send`: what is not acknowledged yet, and the first failure."""

    def __init__(self, topic: str, count: int) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._topic = topic
        self._missing = count
        self._error: TopicError | None = None

    def delivered(self, error: KafkaError | None, message: Message) -> None:
        """The client's report on one record."""
        if error is not None and self._error is None:
            self._error = topic_error(error, f"writing to topic {self._topic}")
        self._missing -= 1
        if not self._missing:
            self._finish()

    def refused(self, error: KafkaException | BufferError, rest: int) -> None:
        """The client did not take the rest of the records."""
        doing = f"writing to topic {self._topic}"
        if isinstance(error, BufferError):
            self._error = BrokerUnavailable(
                f"{doing}: more records wait for the Kafka cluster than memory is set aside for"
            )
        else:
            self._error = topic_error(error, doing)
        self._missing -= rest
        if not self._missing:
            self._finish()

    def give_up(self, why: str) -> None:
        """Nobody knows whether the rest was written."""
        self._error = self._error or BrokerUnavailable(f"writing to topic {self._topic}: {why}")
        self._finish()

    def _finish(self) -> None:
        if self.done.done():
            return
        if self._error is not None:
            self.done.set_exception(self._error)
            self.done.exception()  # a sender that was cancelled does not ask
        else:
            self.done.set_result(None)
