"""What topics there are: looked up once and remembered for a while, since every send asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec, TopicDescription

from langstream.errors import BrokerUnavailable, TopicNotFound
from langstream.topics.kafka.failures import reason, topic_error
from langstream.topics.kafka.threads import Threads
from langstream.topics.local.log import not_found

REMEMBER_SECONDS: Final = 60.0
REQUEST_SECONDS: Final = 15.0
LOOKUP_SECONDS: Final = 5.0
LOOKUPS: Final = 3
ATTEMPTS: Final = 300
ATTEMPT_SECONDS: Final = 0.1
SETTLE_SECONDS: Final = 5.0
SETTLE_PAUSE_SECONDS: Final = 0.01
_MOVING: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
)


class Known(NamedTuple):
    """What was learned about a topic, and when."""

    partitions: int
    at: float


class Catalogue:
    """Topics and the ends of their partitions, by way of an administration client."""

    def __init__(self, client: AdminClient, threads: Threads) -> None:
        self._client = client
        self._threads = threads
        self._known: dict[str, Known] = {}
        self._doubtful: set[str] = set()
        self._asked: dict[str, asyncio.Task[Known]] = {}

    async def topic(self, topic: str) -> Known:
        """The topic as it was lately, or before the brokers went away. Raises TopicNotFound, BrokerUnavailable."""
        known = self._known.get(topic)
        if known and known.at > time.monotonic() - REMEMBER_SECONDS and topic not in self._doubtful:
            return known
        asked = self._asked.get(topic)
        if asked is None:
            asked = self._asked[topic] = asyncio.create_task(self._ask(topic))
            asked.add_done_callback(lambda task: self._asked_for(topic, task))
        try:
            return await asyncio.shield(asked)
        except BrokerUnavailable:
            if known is None:
                raise
            return known

    def forget(self, topic: str) -> None:
        """Look it up again next time."""
        self._doubtful.add(topic)

    async def describe(self, topic: str) -> TopicDescription | None:
        """As the brokers describe it; None if there is none."""
        for attempt in range(LOOKUPS):
            try:
                futures = self._client.describe_topics(TopicCollection([topic]), request_timeout=LOOKUP_SECONDS)
                described: TopicDescription = await asyncio.wrap_future(futures[topic])
                return described
            except KafkaException as error:
                if reason(error).code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
                    return None
                failure = topic_error(error, f"looking up topic {topic}")
                if not isinstance(failure, BrokerUnavailable) or attempt + 1 == LOOKUPS:
                    raise failure from error
            await self._refresh()
        raise AssertionError("the last attempt returns or raises")

    async def _refresh(self) -> None:
        """Learn from any broker which one is the controller now: the client waits for the one it knew, gone or not."""
        with suppress(KafkaException):
            await self._threads.run(self._client.list_topics, timeout=LOOKUP_SECONDS)

    async def names(self) -> list[str]:
        """Every topic that is not the cluster's own."""
        try:
            metadata = await self._threads.run(self._client.list_topics, timeout=REQUEST_SECONDS)
        except KafkaException as error:
            raise topic_error(error, "listing topics") from error
        return sorted(name for name in metadata.topics if not name.startswith("__"))

    async def bounds(self, partitions: Iterable[TopicPartition]) -> Mapping[int, tuple[int, int]]:
        """First kept and next offset of the partitions of a topic; open transactions do not count."""
        wanted = list(partitions)
        if not wanted:
            return {}
        first, end = await asyncio.gather(
            self._offsets(wanted, OffsetSpec.earliest()),  # type: ignore[no-untyped-call]
            self._offsets(wanted, OffsetSpec.latest()),  # type: ignore[no-untyped-call]
        )
        return {partition: (first[partition], end[partition]) for partition in first}

    async def settled_bounds(self, topic: str, partitions: int) -> Mapping[int, tuple[int, int]]:
        """As `bounds_of`, once the transactions that are just being committed have become visible.

        The brokers acknowledge a commit a little before its records can be read. Transactions that stay open are not
        waited for.
        """
        wanted = [TopicPartition(topic, number) for number in range(partitions)]
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        written = await self._offsets(wanted, latest, IsolationLevel.READ_UNCOMMITTED)
        for _ in range(int(SETTLE_SECONDS / SETTLE_PAUSE_SECONDS)):
            bounds = await self.bounds(wanted)
            if all(bounds[number][1] >= end for number, end in written.items()):
                return bounds
            await asyncio.sleep(SETTLE_PAUSE_SECONDS)
        return bounds

    async def bounds_of(self, topic: str, partitions: int) -> Mapping[int, tuple[int, int]]:
        """Of every partition of the topic."""
        return await self.bounds(TopicPartition(topic, number) for number in range(partitions))

    async def _offsets(
        self,
        partitions: Sequence[TopicPartition],
        spec: OffsetSpec,
        isolation: IsolationLevel = IsolationLevel.READ_COMMITTED,
    ) -> dict[int, int]:
        for attempt in range(ATTEMPTS + 1):
            try:
                return await self._offsets_now(partitions, spec, isolation)
            except KafkaException as error:  # a partition that was just made, or is moving
                if reason(error).code() not in _MOVING or attempt == ATTEMPTS:
                    raise topic_error(error, f"looking up the offsets of topic {partitions[0].topic}") from error
            await asyncio.sleep(ATTEMPT_SECONDS)
        raise AssertionError("the last attempt returns or raises")

    async def _offsets_now(
        self, partitions: Sequence[TopicPartition], spec: OffsetSpec, isolation: IsolationLevel
    ) -> dict[int, int]:
        answers = self._client.list_offsets(
            dict.fromkeys(partitions, spec),
            isolation_level=isolation,
            request_timeout=REQUEST_SECONDS,
        )
        results = await asyncio.gather(*map(asyncio.wrap_future, answers.values()))
        return {partition.partition: result.offset for partition, result in zip(answers, results, strict=True)}

    async def _ask(self, topic: str) -> Known:
        described = await self.describe(topic)
        if described is None:
            raise await self.missing(topic)
        known = self._known[topic] = Known(len(described.partitions), time.monotonic())
        self._doubtful.discard(topic)
        return known

    def _asked_for(self, topic: str, task: asyncio.Task[Known]) -> None:
        del self._asked[topic]
        if not task.cancelled():
            task.exception()  # those who asked may all be gone

    async def missing(self, topic: str) -> TopicNotFound:
        """The error for a topic that is not there."""
        self._known.pop(topic, None)
        return not_found(topic, await self.names())
