"""A client that writes for all producers of the same properties; one wait per call, however many records it has.

The client is idempotent: its retries neither repeat nor reorder records. Acknowledgements are collected on the event
loop, in batches: taken from a thread, each would cost a fight for the interpreter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from langstream.errors import BrokerUnavailable, TopicError
from langstream.topics.kafka.failures import topic_error
from langstream.topics.kafka.feed import CONNECT_SECONDS, connect
from langstream.topics.kafka.threads import Threads
from langstream.topics.kafka.wire import Payload

TICKS: Final = (0.0005, 0.02)
"""Shortest and longest time between two looks for acknowledgements, while some are missing."""
BY_KEY: Final = -1
"""No partition in particular: the client chooses it by the key."""
CLOSE_SECONDS: Final = 10.0


class Batch(NamedTuple):
    """Records for one topic; those without a key go to the partition `unkeyed`."""

    topic: str
    looked_up: float
    """When the number of partitions was learned: a client that learned of the topic before must ask again."""
    unkeyed: int
    payloads: Sequence[Payload]


class Sender:
    """See the module. Opened by its first use."""

    def __init__(self, make: Callable[[], Producer], threads: Threads) -> None:
        self._make = make
        self._threads = threads
        self._client: Producer | None = None
        self._opening = asyncio.Lock()
        self._sending: set[_Sending] = set()
        self._tick: asyncio.TimerHandle | None = None
        self._pause = TICKS[0]
        self._acquainted = Acquaintance(threads)

    async def write(self, batch: Batch) -> asyncio.Future[None]:
        """Hand the records to the client; the future is done when all are acknowledged.

        A failure may leave some of them written.
        """
        client = self._client or await self._open()
        await self._acquainted.make(client, batch)
        sending = _Sending(batch.topic, len(batch.payloads))
        self._sending.add(sending)
        taken, error = produce(client, batch, sending.delivered)
        if error is not None:
            sending.refused(error, len(batch.payloads) - taken)
        self._watch()
        return sending.done

    async def close(self) -> None:
        """Wait for what is under way, but not for ever."""
        client, self._client = self._client, None
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if client is not None:
            await self._threads.run(client.flush, CLOSE_SECONDS)
            for sending in list(self._sending):
                sending.give_up("the cluster was closed")
            await self._threads.run(let_go, client)

    async def _open(self) -> Producer:
        async with self._opening:
            if self._client is None:
                try:
                    client = self._make()
                except KafkaException as error:
                    raise topic_error(error, "starting the Kafka producer") from error
                await self._threads.run(connect, client)
                self._client = client
        return self._client

    def _watch(self) -> None:
        self._pause = TICKS[0]
        if self._tick is None:
            self._tick = asyncio.get_running_loop().call_later(self._pause, self._look)

    def _look(self) -> None:
        self._tick = None
        client = self._client
        if client is None:
            return
        served = client.poll(0)
        self._sending = {sending for sending in self._sending if not sending.done.done()}
        if self._sending:
            self._pause = TICKS[0] if served else min(self._pause * 1.2, TICKS[1])
            self._tick = asyncio.get_running_loop().call_later(self._pause, self._look)


class Acquaintance:
    """Which topics a client has asked the brokers about, and when.

    A client that has not would find out in the middle of writing; one that knows a topic as it was before it was made
    anew would write to partitions that are no more.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._asked: dict[str, float] = {}
        self._asking = asyncio.Lock()

    async def make(self, client: Producer, batch: Batch) -> None:
        """Have the client ask, unless it has."""
        if self._asked.get(batch.topic, 0.0) >= batch.looked_up:
            return
        async with self._asking:
            if self._asked.get(batch.topic, 0.0) < batch.looked_up:
                with suppress(KafkaException):  # it asks again by itself
                    await self._threads.run(client.list_topics, batch.topic, CONNECT_SECONDS)
                self._asked[batch.topic] = batch.looked_up


def produce(
    client: Producer,
    batch: Batch,
    on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
    start: int = 0,
) -> tuple[int, KafkaException | BufferError | None]:
    """Hand the records to the client, from the one at `start` on: how many it has of all, and why not the others."""
    hand, topic, unkeyed, taken = client.produce, batch.topic, batch.unkeyed, start
    try:
        for key, value, headers, timestamp in batch.payloads[start:] if start else batch.payloads:
            # by position, which is quicker: partition, callback, the same by another name, timestamp, headers
            hand(topic, value, key, unkeyed if key is None else BY_KEY, on_delivery, None, timestamp, headers)  # type: ignore[arg-type]
            taken += 1
    except (KafkaException, BufferError) as error:
        return taken, error
    return taken, None


def let_go(client: Producer) -> None:
    """In a thread: end the client without waiting for brokers, as its `close` would.

    A transaction that is still open is ended by whoever takes the name next, or by the brokers after its time.
    """
    with suppress(KafkaException):  # what is wrong with it is known by now
        client.purge()


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
