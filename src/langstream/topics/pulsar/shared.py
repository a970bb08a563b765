"""A member of a group whose members share partitions: each is sent some of the records of every partition.

The broker chooses the member: by the key (`Key_Shared`: a key stays with one member, and does not move while records of
it are unacknowledged), or whoever has room (`Shared`). There is nothing to own, so nothing is revoked and nobody is
fenced. What a member leaves unacknowledged when it goes, the broker gives to others, at once and in order.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

import _pulsar

from langstream.errors import Fenced, TopicError
from langstream.topics.contract import Fetched, TopicPartition
from langstream.topics.local.buffer import Buffer
from langstream.topics.pulsar.backlog import records_per_entry
from langstream.topics.pulsar.catalogue import Known
from langstream.topics.pulsar.claim import Stream
from langstream.topics.pulsar.failures import topic_error
from langstream.topics.pulsar.member import Member
from langstream.topics.pulsar.stall import Sight, Watch, sight
from langstream.topics.pulsar.wire import Arrived

SLICE: Final = 200
"""So many records are acknowledged before others get their turn."""

_log = logging.getLogger(__name__)


class SharedStream(Stream):
    """Records of one partition that this member was sent. They may be sent again, so offsets need not grow."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.end = 0
        """After the highest offset that was handed out."""
        self.watch = Watch()
        self.away = False
        """Whether the partition was let go of, to be taken up again soon."""
        self._held: set[int] = set()
        self._handed: set[int] = set()

    def arrive(self, batch: Arrived) -> None:
        """What comes while it is away is not acknowledged, and comes again."""
        if not self.away:
            super().arrive(batch)

    def take(self, max_records: int) -> list[Fetched]:
        """Remembers what was handed out; it is the beginning of what arrived."""
        fetched = super().take(max_records)
        for run in fetched:
            self._handed.update(run.offsets)
            self.end = max(self.end, run.next_offset)
        return fetched

    def through(self, offset: int) -> list[Any]:
        """The ids of what was handed out, from the oldest to the record before this offset: nothing if it is released.

        Not by the size of offsets: what was sent again lies before what was handed out earlier.
        """
        if offset - 1 in self._handed:
            last = offset - 1
        elif offset in self._handed:
            last = None
        else:
            return []
        ids: list[Any] = []
        for place, identity in self._ids:
            if last is None and place == offset:
                break
            ids.append(identity)
            if place == last:
                break
        return ids

    def drop(self, count: int) -> None:
        """Forget the oldest; they are acknowledged."""
        for _ in range(count):
            place, _identity = self._ids.popleft()
            self._handed.discard(place)
            self._held.discard(place)

    def renew(self) -> None:
        """Before the client is another one: what was not handed out is delivered again, to whomever."""
        self.abandon()
        self.failed = self.away = False
        self.buffer = Buffer(self.buffer.topic, self.buffer.partition, 0)
        self.waiting = 0
        self._sizes.clear()
        self._ids = deque(entry for entry in self._ids if entry[0] in self._handed)
        self._held = set(self._handed)

    def _new(self, batch: Arrived) -> Arrived:
        """What is not here yet. After a reconnection the broker repeats what was not acknowledged."""
        places = []
        for place, offset in enumerate(batch.offsets):
            if offset not in self._held:
                self._held.add(offset)
                places.append(place)
        return batch if len(places) == len(batch.offsets) else batch.pick(places)


class SharedPulsarConsumer(Member[SharedStream]):
    """See `TopicConsumer`."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Acknowledges each record handed out, from the oldest to the one before the offset, whatever lies between.

        The broker stores it in a moment: a process that is killed may repeat that much.
        """
        if not offsets:
            return
        async with self._committing:
            streams = [(self._checked(place, offset), offset) for place, offset in offsets.items()]
            for stream, offset in streams:
                ids = stream.through(offset)
                result = await acknowledge(stream.client, ids)
                if result != _pulsar.Result.Ok:
                    raise topic_error(result, self._doing("committing"))
                stream.drop(len(ids))

    async def lag(self) -> Mapping[TopicPartition, int]:
        """What arrived here and is not committed, and this member's part of what was sent to nobody yet: an estimate.

        So the lags of all members make up that of the group.
        """
        known = self._known
        if known is None or not self._streams:
            return {}
        streams = dict(self._streams)
        stats = await self._catalogue.stats(known)
        counts = await asyncio.gather(
            *(self._behind(known, stream, stats.get(number, {})) for number, stream in streams.items())
        )
        return {TopicPartition(self._topic, number): count for number, count in zip(streams, counts, strict=True)}

    # --- commits ----------------------------------------------------------------------------------------------------

    def _checked(self, place: TopicPartition, offset: int) -> SharedStream:
        self._check_topic(place)
        stream = self._streams.get(place.partition)
        if stream is None and self._closed:
            raise Fenced(f"{self._doing('committing')}: this member has left, and others get its records")
        if stream is None or not 0 <= offset <= stream.end:
            raise self._never_polled(place, offset, stream.end if stream else 0)
        return stream

    async def _behind(self, known: Known, stream: SharedStream, stats: Mapping[str, Any]) -> int:
        subscription = stats.get("subscriptions", {}).get(self._group, {})
        ledgers = await self._catalogue.ledgers(known, stream.buffer.partition)
        backlog = int(subscription.get("msgBacklog") or 0) * records_per_entry(ledgers, stats)
        waiting = max(0.0, backlog - int(subscription.get("unackedMessages") or 0))
        return stream.unreleased + math.ceil(waiting / max(1, len(subscription.get("consumers") or ())))

    # --- membership -------------------------------------------------------------------------------------------------

    async def _join(self, known: Known) -> None:
        self._signals.watch(self._topic, self._group, self._changes)
        await self._attach(known)

    async def _look(self) -> None:
        """Whether the topic is still there, and has other partitions; whatever lost its client gets another."""
        known = await self._catalogue.look_up(self._topic)
        if known is None:
            raise await self._catalogue.missing(self._topic)
        self._known = known
        await self._attach(known)
        await self._rouse(known)

    async def _rouse(self, known: Known) -> None:
        """See `stall`. Brokers are asked for statistics only while a partition has nothing for this member."""
        for stream in self._streams.values():
            if stream.unreleased:
                stream.watch.busy()
        idle = {number: stream for number, stream in self._streams.items() if not stream.unreleased}
        if not idle:
            return
        now = asyncio.get_running_loop().time()
        seen = await self._sights(known)
        back = [number for number, each in idle.items() if each.away and each.watch.over(seen[number], now)]
        await asyncio.gather(*(self._attach_to(known, number) for number in back))
        stalled = [number for number, each in idle.items() if not each.away and each.watch.stalled(seen[number], now)]
        if stalled:
            exactly = await self._sights(known, precise=True)
            await asyncio.gather(*(self._let_go(idle[number], exactly[number], now) for number in stalled))

    async def _sights(self, known: Known, precise: bool = False) -> Mapping[int, Sight]:
        stats = await self._catalogue.stats(known, precise)
        return {
            number: sight(stats.get(number, {}).get("subscriptions", {}).get(self._group, {}))
            for number in self._streams
        }

    async def _let_go(self, stream: SharedStream, seen: Sight, now: float) -> None:
        if stream.unreleased or stream.failed:
            return
        stream.watch.tried(now)
        if not seen.waiting:  # what the broker says in passing is an estimate
            return
        stream.away = True
        _log.info(
            "%s: %d records of partition %d wait and are sent to nobody; taking it up anew",
            self._doing("reading"),
            seen.waiting,
            stream.buffer.partition,
        )
        await stream.close()

    async def _attach(self, known: Known) -> None:
        missing = [
            number for number in range(known.partitions) if number not in self._streams or self._streams[number].failed
        ]
        await asyncio.gather(*(self._attach_to(known, number) for number in missing))

    async def _attach_to(self, known: Known, number: int) -> None:
        result, client = await self._subscribe(known, number)
        if result == _pulsar.Result.ConsumerBusy:
            raise await self._refused(known, number)
        if result != _pulsar.Result.Ok:
            raise topic_error(result, self._doing("joining"))
        stream = self._streams.get(number)
        if stream is None:
            stream = SharedStream(self._topic, number, 0, self._records.set, self._broken)
        else:
            stream.renew()
        self._receive(known, number, stream, client)

    async def _refused(self, known: Known, number: int) -> TopicError:
        stats = await self._catalogue.stats(known)
        found = stats.get(number, {}).get("subscriptions", {}).get(self._group, {}).get("type")
        return self._other_type(str(found or "another"), self._options.subscription)


async def acknowledge(client: Any, ids: Sequence[Any]) -> Any:
    """Each by itself, since others have what lies between. The client's result: the first failure, if there is one."""
    results: list[Any] = []
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not done.done():
            done.set_result(None)

    def answered(result: Any) -> None:  # at once, or from a thread of the client
        results.append(result)
        if len(results) == len(ids):
            loop.call_soon_threadsafe(settle)

    for index, identity in enumerate(ids):
        client.acknowledge_async(identity, answered)
        if index % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    if ids:
        await done
    return next((result for result in results if result != _pulsar.Result.Ok), _pulsar.Result.Ok)
