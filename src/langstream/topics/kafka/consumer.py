"""A member of a consumer group.

The client's thread reads ahead; `poll` hands out what is there. When partitions have to move, the thread waits in the
middle of the rebalance: their records are no longer handed out, `on_revoked` may finish and commit what is in flight
within a deadline, a commit under way ends, and only then they are given up. The client's heartbeats go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from langstream.errors import BrokerUnavailable, Fenced, TopicError
from langstream.topics.contract import Fetched, RevokedCallback, TopicPartition
from langstream.topics.kafka.buffer import Buffer, Buffers, by_partition
from langstream.topics.kafka.catalogue import Catalogue
from langstream.topics.kafka.failures import MOVED, reason, topic_error
from langstream.topics.kafka.feed import Feed, partition_ended
from langstream.topics.kafka.positions import begin
from langstream.topics.kafka.schemas import TopicForm

JOIN_SECONDS: Final = 30.0
"""`start` waits so long for the group; afterwards the partitions come when the group is ready."""
REVOKE_SECONDS: Final = 10.0
"""How long a partition's records in flight may take to finish before it moves to another member."""
MOST_LEFT_OPEN: Final = 8
ATTEMPTS: Final = 20
ATTEMPT_SECONDS: Final = 0.1
OVERDUE_SECONDS: Final = 30.0
"""A commit that takes longer never ends: librdkafka's (2.16) has been seen not to when the group's coordinator was
killed in the middle of it. (With asynchronous commits a partition stood still for good after a rebalance.)"""

_Handler: TypeAlias = Callable[[list[int]], Coroutine[Any, Any, None]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """Offsets to commit, and the assignments by which their partitions were owned when that was asked for."""

    offsets: Mapping[TopicPartition, int]
    assignments: Mapping[int, int]


class KafkaConsumer:
    """See `TopicConsumer`."""

    def __init__(
        self,
        topic: str,
        group: str,
        make: Callable[[], Consumer],
        catalogue: Catalogue,
        on_revoked: RevokedCallback | None,
        form: TopicForm | None = None,
    ) -> None:
        self.group = group
        self.when_closed: Callable[[], None] = _nothing
        self.end_left_open: Callable[[int], Coroutine[Any, Any, None]] | None = None
        """What ends transactions of the group that were left open; the argument counts the attempts."""
        self._ending: asyncio.Task[None] | None = None
        self._left_open = 0
        self._topic = topic
        self._catalogue = catalogue
        self._on_revoked = on_revoked
        self._form = form
        self._feed = Feed(self, make, f"kafka consumer {group} of {topic}")
        self._metadata: Any = None
        self._owned: dict[int, int] = {}  # which assignment gave the partition to this member
        self._assigned_to: dict[int, int] = {}  # the same as the thread knows it, which is the first to know
        self._assignments = 0
        self._given_up_at: dict[int, int] = {}  # the next offset after what was handed out, when a partition left
        self._buffers = Buffers()  # owned partitions, less those being given up
        self._committed: dict[int, int] = {}
        self._committing = asyncio.Lock()
        self._joined = asyncio.Event()
        self._wake = asyncio.Event()
        self._failure: TopicError | None = None
        self._started = self._closed = False

    async def start(self) -> None:
        """Join; a single member owns its partitions when this returns."""
        if self._started or self._closed:
            raise RuntimeError("a consumer is started once")
        await self._catalogue.topic(self._topic)
        self._started = True
        await self._feed.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(JOIN_SECONDS):
                await self._joined.wait()
        if self._failure:
            await self.close()
            raise self._failure

    async def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """What was read ahead, or waits until there is something."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            if self._failure:
                raise self._failure
            if not self._started or self._closed:
                raise RuntimeError("the consumer is not started, or closed")
            if self._form is not None:
                await self._form.learn()
            fetched, count, size = self._buffers.take(max_records)
            if fetched:
                self._feed.taken(count, size)
                return fetched if self._form is None else self._form.read(fetched)
            self._wake.clear()
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                return ()
            with suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await self._wake.wait()

    def assignment(self) -> frozenset[TopicPartition]:
        """Partitions owned, those being given up included: they can still be committed."""
        return frozenset(TopicPartition(self._topic, number) for number in self._owned)

    @property
    def read_ahead(self) -> int:
        """Records that came from the brokers and were not polled yet."""
        return self._feed.waiting

    async def close(self) -> None:
        """Leave. Does not call `on_revoked`: the caller knows."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(REVOKE_SECONDS):
                await self._committing.acquire()
                self._committing.release()
        self._owned.clear()
        await self._feed.stop()
        if self._ending is not None:
            await asyncio.wait([self._ending])
        self.when_closed()

    # --- commits ----------------------------------------------------------------------------------------------------

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Stored by the brokers when this returns."""
        if not offsets:
            return
        claim = self.claim(offsets)
        async with self.committing(claim) as positions:
            for attempt in range(ATTEMPTS + 1):
                try:
                    await self._in_time(partial(self._store, claim, positions))
                    break
                except KafkaException as error:
                    if reason(error).code() == KafkaError._FATAL:  # somebody else has this member's instance id
                        self._disown(list(self._owned))
                        self.check(claim)
                    if reason(error).code() not in MOVED or attempt == ATTEMPTS:
                        raise topic_error(error, self._doing("committing")) from error
                await asyncio.sleep(ATTEMPT_SECONDS)  # the group is changing: is the partition still ours then?
            self.committed(claim)

    def claim(self, offsets: Mapping[TopicPartition, int]) -> Claim:
        """The partitions as they are owned now. Raises Fenced unless they are."""
        return Claim(offsets, {partition.partition: self._assignment_of(partition) for partition in offsets})

    @asynccontextmanager
    async def committing(self, claim: Claim) -> AsyncIterator[list[KafkaPartition]]:
        """Keeps the partitions until the commit inside has ended. Raises Fenced, TopicError for wrong offsets."""
        for partition, offset in claim.offsets.items():
            await self._check_offset(partition, offset)
        async with self._committing:
            self.check(claim)
            yield [
                KafkaPartition(self._topic, place.partition, self._beyond(place, at))
                for place, at in claim.offsets.items()
            ]

    def check(self, claim: Claim) -> None:
        """Raises Fenced unless the partitions were owned all the time: one that went and came back starts anew."""
        for number, assignment in claim.assignments.items():
            if self._owned.get(number) != assignment or self._assigned_to.get(number) != assignment:
                raise self._fenced(number)

    async def metadata(self, claim: Claim, *, afresh: bool) -> Any:
        """Who this member is in the group, by which the brokers recognise one that has lost its place."""
        if afresh:
            self._metadata = await self._feed.call(_membership)
        metadata = self._metadata
        self.check(claim)  # afterwards: whoever joined the group anew since then would not be recognised
        return metadata

    def committed(self, claim: Claim) -> None:
        """These offsets are stored now."""
        for partition, offset in claim.offsets.items():
            self._committed[partition.partition] = self._beyond(partition, offset)

    async def lag(self) -> Mapping[TopicPartition, int]:
        """End of each owned partition less its committed offset (or its first kept record, if that is later)."""
        owned = [KafkaPartition(self._topic, number) for number in sorted(self._owned)]
        if not owned or self._closed:
            return {}
        unknown = [place for place in owned if place.partition not in self._committed]
        try:
            for place in await self._feed.call(lambda client: client.committed(unknown, 10.0)) if unknown else ():
                if place.partition in self._owned and place.offset >= 0:
                    self._committed.setdefault(place.partition, place.offset)
        except KafkaException as error:
            raise topic_error(error, self._doing("looking up the position")) from error
        bounds = await self._catalogue.bounds(owned)
        return {
            TopicPartition(self._topic, number): max(0, end - max(self._committed.get(number, 0), first))
            for number, (first, end) in bounds.items()
        }

    def _beyond(self, partition: TopicPartition, offset: int) -> int:
        buffer = self._buffers.get(partition.partition)
        return buffer.beyond(offset) if buffer is not None else offset

    async def _in_time(self, work: Callable[[Consumer], None]) -> None:
        """Done in the thread. If that hangs, the consumer is broken, and has to be made anew."""
        if self._feed.given_up and self._failure:
            raise self._failure
        try:
            async with asyncio.timeout(OVERDUE_SECONDS):
                await self._feed.call(work)
        except TimeoutError:
            text = f"the Kafka client did not answer in {OVERDUE_SECONDS:g} s; it is given up and made anew"
            failure = BrokerUnavailable(f"{self._doing('committing')}: {text}")
            self._feed.give_up()
            self._fail(failure)
            raise failure from None

    def _store(self, claim: Claim, positions: list[KafkaPartition], client: Consumer) -> None:
        """In the thread."""
        self.check(claim)
        for stored in client.commit(offsets=positions, asynchronous=False) or ():
            if stored.error:
                raise KafkaException(stored.error)

    def _assignment_of(self, partition: TopicPartition) -> int:
        if partition.topic != self._topic:
            raise TopicError(f"{partition.topic}/{partition.partition} is no partition of topic {self._topic}")
        assignment = self._owned.get(partition.partition)
        if assignment is None:
            raise self._fenced(partition.partition)
        return assignment

    def _fenced(self, number: int) -> Fenced:
        return Fenced(
            f"group {self.group}: partition {number} of topic {self._topic} was given to another member, or anew to "
            "this one; its records are delivered again"
        )

    async def _check_offset(self, partition: TopicPartition, offset: int) -> None:
        """Raises Fenced for records of an earlier assignment, TopicError for offsets that cannot be."""
        buffer = self._buffers.get(partition.partition)
        delivered = buffer.delivered if buffer is not None else None
        if delivered is not None and 0 <= offset <= delivered:
            return
        if 0 <= offset <= self._given_up_at.get(partition.partition, -1):
            if buffer is None:  # it is being given up
                return
            raise self._fenced(partition.partition)
        bounds = await self._catalogue.bounds([KafkaPartition(*partition)])
        end = bounds[partition.partition][1]
        if not 0 <= offset <= end:
            raise TopicError(
                f"consumer group {self.group} cannot commit offset {offset}: partition {partition.partition} of topic "
                f"{partition.topic} ends at {end}"
            )

    # --- the feed ---------------------------------------------------------------------------------------------------

    def prepare(self, client: Consumer) -> None:
        """Join the group."""
        client.subscribe([self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def deliver(self, messages: list[Message]) -> None:
        """Sort what was read into the buffers; what belongs to partitions given up meanwhile is dropped."""
        for number, part in by_partition(messages).items():
            records = [message for message in part if message.error() is None]
            buffer = self._buffers.get(number)
            if records and buffer is not None:
                if self._form is not None:
                    self._form.saw(records)
                buffer.add(records)
            elif records:
                self._feed.taken(len(records), sum(map(len, records)))
            for message in part if len(records) < len(part) else ():
                if message.error() is not None:
                    self._feed.taken(1, len(message))
                    self._heard(message, buffer)
        self._wake.set()

    def broken(self, error: BaseException) -> None:
        """The thread ended: nothing more will come."""
        if isinstance(error, KafkaException):
            self._fail(topic_error(error, self._doing("reading")))
        else:
            self._fail(TopicError(f"{self._doing('reading')}: {type(error).__name__}: {error}"))

    def _heard(self, message: Message, buffer: Buffer | None) -> None:
        error = message.error()
        assert error is not None
        if partition_ended(message):
            offset = message.offset()
            if buffer is not None and offset is not None:
                buffer.ended(offset)
            return
        failure = topic_error(error, self._doing("reading"))
        if isinstance(failure, BrokerUnavailable) and not error.fatal():
            _log.warning("%s", failure)
            return
        if error.fatal():  # the client has given everything up without a word
            self._disown(list(self._owned))
        self._fail(failure)

    def _fail(self, failure: TopicError) -> None:
        self._failure = self._failure or failure
        self._joined.set()
        self._wake.set()

    # --- membership, in the thread ----------------------------------------------------------------------------------

    def _on_assign(self, client: Consumer, partitions: list[KafkaPartition]) -> None:
        self._left_open = 0
        begin(client, partitions, self)
        self._metadata = _membership(client)
        self._assignments += 1
        numbers = [partition.partition for partition in partitions]
        self._assigned_to.update(dict.fromkeys(numbers, self._assignments))
        self._feed.tell(self._assigned, numbers, self._assignments)

    def meanwhile(self, client: Consumer) -> bool:
        """See `Waiter`."""
        self._feed.answer(client)  # a commit may be what is waited for
        return self._feed.stopping

    def held_up(self) -> None:
        """See `Waiter`."""
        self._feed.tell(self._end_left_open)

    def _end_left_open(self) -> None:
        if self.end_left_open is not None and (self._ending is None or self._ending.done()):
            self._ending = asyncio.create_task(self.end_left_open(self._left_open % MOST_LEFT_OPEN))
            self._left_open += 1

    def _on_revoke(self, client: Consumer, partitions: list[KafkaPartition]) -> None:
        self._moved(client, [partition.partition for partition in partitions], self._give_up)

    def _on_lost(self, client: Consumer, partitions: list[KafkaPartition]) -> None:
        self._moved(client, [partition.partition for partition in partitions], self._lose)

    def _moved(self, client: Consumer, numbers: list[int], handle: _Handler) -> None:
        if self._feed.stopping or not numbers:
            return
        if not self._feed.wait_for(client, handle(numbers), REVOKE_SECONDS + 1.0):
            _log.warning(
                "%s: records in flight were not finished in time; another member repeats them", self._doing("")
            )
        for number in numbers:  # whatever the event loop did or did not do, they are gone now
            self._assigned_to.pop(number, None)
        self._feed.tell(self._gone, numbers)

    # --- membership, on the event loop ------------------------------------------------------------------------------

    def _assigned(self, numbers: list[int], assignment: int) -> None:
        if self._closed:
            return
        for number in numbers:
            self._committed.pop(number, None)
            self._buffers.open(Buffer(self._topic, number))
            self._owned[number] = assignment
        self._joined.set()
        self._wake.set()

    async def _give_up(self, numbers: list[int]) -> None:
        self._stop_reading(numbers)
        try:
            await self._tell_revoked(numbers)
            async with self._committing:  # what is being committed is still ours
                pass
        finally:
            self._disown(numbers)

    async def _lose(self, numbers: list[int]) -> None:
        _log.warning("group %s of topic %s: partitions %s were lost", self.group, self._topic, sorted(numbers))
        self._disown(numbers)
        self._stop_reading(numbers)
        await self._tell_revoked(numbers)

    def _gone(self, numbers: list[int]) -> None:
        """An event loop that did not come to give them up must not go on with their records."""
        if any(number in self._owned for number in numbers):
            self._stop_reading(numbers)
            self._disown(numbers)
            self._fail(Fenced(f"{self._doing('')}: the process was too busy to give partitions up; it joins anew"))

    def _disown(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._owned.pop(number, None)

    def _stop_reading(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            buffer = self._buffers.get(number)
            if buffer is not None and buffer.delivered is not None:
                self._given_up_at[number] = buffer.delivered
            self._feed.taken(*self._buffers.close(number))

    async def _tell_revoked(self, numbers: Sequence[int]) -> None:
        if self._on_revoked is None:
            return
        try:
            async with asyncio.timeout(REVOKE_SECONDS):
                await self._on_revoked([TopicPartition(self._topic, number) for number in numbers])
        except TimeoutError:
            _log.warning(
                "group %s of topic %s: records in flight were not finished in %s s; another member repeats them",
                self.group, self._topic, REVOKE_SECONDS,
            )  # fmt: skip
        except Exception:
            _log.exception("group %s of topic %s: giving up partitions failed", self.group, self._topic)

    def _doing(self, what: str) -> str:
        return f"{what} topic {self._topic} for consumer group {self.group}".strip()


def _nothing() -> None:
    pass


def _membership(client: Consumer) -> Any:
    """In the thread. A consumer that is in no group would not be fenced by the brokers, so it gets none."""
    return client.consumer_group_metadata() if client.memberid() else None
