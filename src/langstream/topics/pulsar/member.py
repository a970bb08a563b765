"""What all members of consumer groups do, however they share the topic: polling, watching the topic, leaving."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from langstream.errors import BrokerUnavailable, TopicError, TopicNotFound
from langstream.topics.contract import Fetched, TopicPartition
from langstream.topics.pulsar.bridge import ignore, outcome
from langstream.topics.pulsar.catalogue import Catalogue, Known
from langstream.topics.pulsar.claim import Stream
from langstream.topics.pulsar.clients import consumer_configuration
from langstream.topics.pulsar.group import Attaching, Signals
from langstream.topics.pulsar.options import EXCLUSIVE, ConsumerOptions
from langstream.topics.pulsar.pump import MOST_RECORDS

S = TypeVar("S", bound=Stream)

_log = logging.getLogger(__name__)


class Member(Generic[S]):
    """The part of `TopicConsumer` that does not depend on who reads what. `_streams` is what this member reads."""

    def __init__(
        self,
        topic: str,
        group: str,
        attaching: Attaching,
        catalogue: Catalogue,
        signals: Signals,
        options: ConsumerOptions,
        interval: float,
    ) -> None:
        self._topic = topic
        self._group = group
        self._attaching = attaching
        self._catalogue = catalogue
        self._signals = signals
        self._options = options
        self._interval = interval
        self._member = f"langstream-{uuid.uuid4().hex}"
        self._streams: dict[int, S] = {}
        self._turn = 0
        self._compacted = False
        self._committing = asyncio.Lock()
        self._records = asyncio.Event()
        self._changes = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._failure: TopicError | None = None
        self._known: Known | None = None
        self._closed = False

    async def start(self) -> None:
        """Join; a single member reads every partition when this returns."""
        if self._watching or self._closed:
            raise RuntimeError("a consumer is started once")
        self._catalogue.forget(self._topic)
        known = self._known = await self._catalogue.topic(self._topic)
        self._compacted = await self._catalogue.compacted(self._topic)
        try:
            await self._join(known)
        except BaseException:
            await self.close()
            raise
        self._watching = asyncio.create_task(self._watch(), name=self._doing("watching"))

    async def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """What was read ahead, or waits until there is something."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            if self._failure:
                raise self._failure
            if self._watching is None:
                raise RuntimeError("the consumer is not started, or closed")
            fetched = self._take(max_records)
            if fetched:
                return fetched
            self._records.clear()
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                return ()
            with suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await self._records.wait()

    def assignment(self) -> frozenset[TopicPartition]:
        """Partitions that can be committed, those being given up included."""
        return frozenset(TopicPartition(self._topic, number) for number in self._streams)

    @property
    def read_ahead(self) -> int:
        """Records that came from the brokers and were not polled yet."""
        return sum(stream.waiting for stream in self._streams.values())

    async def close(self) -> None:
        """Leave. Does not call `on_revoked`: the caller knows."""
        if self._closed:
            return
        self._closed = True
        watching, self._watching = self._watching, None
        self._signals.unwatch(self._topic, self._group, self._changes)
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        self._records.set()
        async with self._committing:
            streams = list(self._streams.values())
            self._streams.clear()
        await asyncio.gather(*(stream.close() for stream in streams))
        await self._leave()

    # --- what kinds of members do their own way ---------------------------------------------------------------------

    async def _join(self, known: Known) -> None:
        """Begin to read. Raises TopicError."""
        raise NotImplementedError

    async def _leave(self) -> None:
        """After everything is closed."""

    async def _look(self) -> None:
        """One look at the topic, and what follows from it. Raises TopicError."""
        raise NotImplementedError

    def _pause(self) -> float:
        """Seconds until the next look."""
        return self._interval

    def _readable(self) -> list[S]:
        """What may hand out records."""
        return list(self._streams.values())

    # --- parts ------------------------------------------------------------------------------------------------------

    def _take(self, max_records: int) -> list[Fetched]:
        streams = self._readable()
        start = self._turn % len(streams) if streams else 0
        self._turn += 1
        fetched: list[Fetched] = []
        for stream in streams[start:] + streams[:start]:
            if max_records <= 0:
                break
            taken = stream.take(max_records)
            fetched += taken
            max_records -= sum(len(run.offsets) for run in taken)
        return fetched

    async def _watch(self) -> None:
        told = False
        while not self._closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._changes.wait()
            self._changes.clear()
            try:
                await self._look()
                told = False
            except TopicNotFound as error:
                self._fail(error)
                return
            except BrokerUnavailable as error:
                level, told = logging.DEBUG if told else logging.WARNING, True
                _log.log(level, "%s: %s; trying again", self._doing("watching"), error)
            except TopicError as error:
                self._fail(error)
                return

    async def _subscribe(self, known: Known, number: int) -> tuple[Any, Any]:
        """The client's result, and its consumer of the partition."""
        configuration = consumer_configuration(self._options, self._compacted, self._member)
        full = self._full(known, number)
        return await outcome(
            lambda answered: self._attaching.subscribe(full, self._group, configuration, answered),
            late=lambda client: client.close_async(ignore),
        )

    def _receive(self, known: Known, number: int, stream: S, client: Any) -> None:
        """From now on."""
        versions = self._attaching.versions(self._full(known, number))
        owned = self._options.subscription == EXCLUSIVE
        most = MOST_RECORDS if owned else self._options.receiver_queue_size  # others do not get what is read ahead
        stream.open(client, client.receive, versions, f"pulsar {self._topic}/{number}", most)
        self._streams[number] = stream
        self._records.set()

    def _full(self, known: Known, number: int) -> str:
        return self._catalogue.namespace.full(known.part(number))

    def _check_topic(self, place: TopicPartition) -> None:
        if place.topic != self._topic:
            raise TopicError(f"{place.topic}/{place.partition} is no partition of topic {self._topic}")

    def _never_polled(self, place: TopicPartition, offset: int, end: int) -> TopicError:
        return TopicError(
            f"consumer group {self._group} cannot commit offset {offset}: what it polled of partition "
            f"{place.partition} of topic {place.topic} ends at {max(0, end)}"
        )

    def _other_type(self, found: str, wanted: str) -> TopicError:
        """Pulsar keeps members of different types apart."""
        return TopicError(
            f"{self._doing('joining')}: members with the subscription type {found} are connected, and this one has "
            f"{wanted}. Set 'consumer.subscriptionType' of the topic to the same everywhere; to change it, stop all "
            "members of the group first"
        )

    def _broken(self, error: Exception) -> None:
        """A thread ended. The next look finds out why."""
        _log.debug("%s: %s", self._doing("reading"), error)
        self._changes.set()

    def _fail(self, failure: TopicError) -> None:
        self._failure = self._failure or failure
        self._records.set()

    def _doing(self, what: str) -> str:
        return f"{what} topic {self._topic} for consumer group {self._group}".strip()
