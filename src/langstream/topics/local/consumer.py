"""A member of a consumer group.

`poll` hands out rows read ahead, and begins to read the next ones while the caller works on these; a background task
watches the group. When a partition has to move, it is no longer
polled, `on_revoked` may finish and commit what is in flight within a deadline, and only then it is released. Whoever
misses the deadline finds its commits fenced.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from langstream.errors import BrokerUnavailable, Fenced, TopicError
from langstream.topics.contract import Fetched, RevokedCallback, TopicPartition
from langstream.topics.local.buffer import Buffer
from langstream.topics.local.log import Claim, Commit, Log, Topic, fenced

RETRY_SECONDS: Final = 1.0
READ_AHEAD: Final = 2_000

_log = logging.getLogger(__name__)


class LocalConsumer:
    """See `TopicConsumer`."""

    def __init__(
        self, log: Log, topic: str, group: str, on_revoked: RevokedCallback | None, revoke_timeout_seconds: float
    ) -> None:
        self._log = log
        self._name = topic
        self._group = group
        self._on_revoked = on_revoked
        self._revoke_timeout = revoke_timeout_seconds
        self._member = uuid.uuid4().hex
        self._topic: Topic | None = None
        self._claims: dict[int, Claim] = {}
        self._buffers: dict[int, Buffer] = {}  # claimed partitions, less those being given up
        self._committed: dict[int, int] = {}
        self._given_up_at: dict[int, int] = {}  # how far a partition was handed out under an earlier claim
        self._turn = 0
        self._reading: asyncio.Task[bool] | None = None
        self._behind = False  # the last reading found so much that there is probably more
        self._records = asyncio.Event()
        self._changes = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._failure: TopicError | None = None
        self._closed = False

    async def start(self) -> None:
        """Join; a single member owns its partitions when this returns."""
        if self._watching or self._closed:
            raise RuntimeError("a consumer is started once")
        self._topic = topic = await self._log.topic(self._name)
        self._log.signals.watch_records(topic.id, self._records)
        self._log.signals.watch_groups(topic.id, self._changes)
        try:
            await self._balance(topic)
        except BaseException:
            self._log.signals.unwatch(topic.id, self._records)
            self._log.signals.unwatch(topic.id, self._changes)
            raise
        self._watching = asyncio.create_task(self._watch(topic), name=f"consumer {self._group} of {self._name}")

    async def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """Rows read ahead first; otherwise reads, and waits until there is something."""
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            if self._failure:
                raise self._failure
            if self._watching is None:
                raise RuntimeError("the consumer is not started, or closed")
            fetched = self._take(max_records)
            if fetched:
                self._begin_reading()
                return fetched
            reading, self._reading = self._reading, None
            if reading and await reading:
                continue
            with self._log.signals.wait():
                self._records.clear()
                if await self._read_ahead(max_records):
                    continue
                remaining = deadline - asyncio.get_running_loop().time()
                if remaining <= 0:
                    return ()
                with suppress(TimeoutError):
                    async with asyncio.timeout(remaining):
                        await self._records.wait()

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Durable when this returns, where the log is."""
        if offsets:
            await self._log.write((), self.commits(offsets))
            self.committed(offsets)

    def commits(self, offsets: Mapping[TopicPartition, int]) -> list[Commit]:
        """The offsets as entries of the log. Raises Fenced for partitions that are not held."""
        return [
            Commit(self._group, partition_id, self._member, self._claims[partition_id].epoch, offset)
            for partition_id, offset in self._by_id(offsets)
        ]

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """These offsets are stored now."""
        for partition, offset in offsets.items():
            self._committed[self._partition_ids()[partition.partition]] = offset

    def assignment(self) -> frozenset[TopicPartition]:
        """Partitions held, those being given up included: they can still be committed."""
        return frozenset(self._named(self._claims))

    async def lag(self) -> Mapping[TopicPartition, int]:
        """End of each held partition less its committed offset (or its first kept record, if that is later)."""
        held = list(self._claims)
        bounds = await self._log.bounds(held)
        return {
            self._named([partition])[0]: bounds[partition].next
            - max(self._committed.get(partition, 0), bounds[partition].first)
            for partition in held
        }

    async def close(self) -> None:
        """Leave. Does not call `on_revoked`: the caller knows."""
        if self._closed:
            return
        self._closed = True
        watching, self._watching = self._watching, None
        if watching is None or self._topic is None:
            return
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await self._stop_reading_ahead()
        self._log.signals.unwatch(self._topic.id, self._records)
        self._log.signals.unwatch(self._topic.id, self._changes)
        self._records.set()
        self._claims.clear()
        self._buffers.clear()
        await self._log.leave(self._topic, self._group, self._member)

    # --- reading ----------------------------------------------------------------------------------------------------

    def _take(self, max_records: int) -> list[Fetched]:
        fetched: list[Fetched] = []
        for buffer in self._in_turn():
            if not buffer:
                continue
            taken = buffer.take(max_records)
            fetched += taken
            max_records -= sum(len(run.records) for run in taken)
            if max_records <= 0:
                break
        self._turn += 1
        return fetched

    def _begin_reading(self) -> None:
        """Read on while the caller works, if nothing is left to hand out and there is probably more."""
        if self._behind and self._reading is None and not any(self._buffers.values()):
            self._reading = asyncio.create_task(self._read_ahead(READ_AHEAD), name=f"reading {self._name}")

    async def _stop_reading_ahead(self) -> None:
        reading, self._reading = self._reading, None
        if reading:
            reading.cancel()
            await asyncio.wait([reading])
            if not reading.cancelled():
                reading.exception()  # whatever it is, nobody reads any more

    async def _read_ahead(self, max_records: int) -> bool:
        count = 0
        for buffer in self._in_turn():
            partition = self._partition_ids()[buffer.partition]
            runs = await self._log.read(partition, buffer.position, max(max_records, READ_AHEAD))
            if runs and self._buffers.get(partition) is buffer:  # not revoked meanwhile
                buffer.add(runs)
                count += sum(len(run.rows) for run in runs)
        self._behind = count >= max_records // 2
        return count > 0

    def _in_turn(self) -> list[Buffer]:
        """The buffers, starting with another one each time so that no partition starves."""
        buffers = list(self._buffers.values())
        start = self._turn % len(buffers) if buffers else 0
        return buffers[start:] + buffers[:start]

    # --- membership -------------------------------------------------------------------------------------------------

    async def _watch(self, topic: Topic) -> None:
        while not self._closed:
            await self._changes.wait()
            self._changes.clear()
            try:
                await self._balance(topic)
            except BrokerUnavailable as error:
                _log.warning("group %s of topic %s: %s; trying again", self._group, self._name, error)
                await asyncio.sleep(RETRY_SECONDS)
                self._changes.set()
            except TopicError as error:  # the topic is gone
                self._failure = error
                self._records.set()
                return

    async def _balance(self, topic: Topic) -> None:
        share = await self._log.balance(topic, self._group, self._member)
        lost = [partition for partition, claim in self._claims.items() if not _same(claim, share.held.get(partition))]
        if lost:
            self._stop_reading(lost)
            for partition in lost:
                del self._claims[partition]
            await self._tell_revoked(lost)
        for partition, claim in share.held.items():
            if partition not in self._claims:
                self._claims[partition] = claim
                self._committed[partition] = claim.offset
                number = topic.partitions.index(partition)
                self._buffers[partition] = Buffer(self._name, number, claim.offset)
                self._records.set()
        if share.surplus:
            await self._give_up(topic, sorted(share.surplus))

    async def _give_up(self, topic: Topic, partitions: Sequence[int]) -> None:
        self._stop_reading(partitions)
        await self._tell_revoked(partitions)
        for partition in partitions:
            self._claims.pop(partition, None)
        await self._log.release(topic, self._group, self._member, partitions)

    def _stop_reading(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            buffer = self._buffers.pop(partition, None)
            if buffer is not None:
                self._given_up_at[partition] = max(buffer.delivered, self._given_up_at.get(partition, 0))

    async def _tell_revoked(self, partitions: Sequence[int]) -> None:
        if self._on_revoked is None:
            return
        try:
            async with asyncio.timeout(self._revoke_timeout):  # wait_for of 3.11 can swallow a cancellation
                await self._on_revoked(self._named(partitions))
        except TimeoutError:
            _log.warning(
                "group %s of topic %s: records in flight were not finished in %s s; another member repeats them",
                self._group, self._name, self._revoke_timeout,
            )  # fmt: skip
        except Exception:
            _log.exception("group %s of topic %s: giving up partitions failed", self._group, self._name)

    # --- names and ids ----------------------------------------------------------------------------------------------

    def _partition_ids(self) -> tuple[int, ...]:
        return self._topic.partitions if self._topic else ()

    def _named(self, partitions: Iterable[int]) -> list[TopicPartition]:
        ids = self._partition_ids()
        return [TopicPartition(self._name, ids.index(partition)) for partition in partitions]

    def _by_id(self, offsets: Mapping[TopicPartition, int]) -> list[tuple[int, int]]:
        ids = self._partition_ids()
        pairs = []
        for partition, offset in offsets.items():
            if partition.topic != self._name or not 0 <= partition.partition < len(ids):
                raise TopicError(f"{partition.topic}/{partition.partition} is no partition of topic {self._name}")
            if ids[partition.partition] not in self._claims:
                raise Fenced(
                    f"group {self._group}: partition {partition.partition} of topic {self._name} belongs to another "
                    "member now; its records will be delivered there"
                )
            pairs.append((ids[partition.partition], offset))
            self._check_claim(*pairs[-1])
        return pairs

    def _check_claim(self, partition: int, offset: int) -> None:
        """Raises Fenced for records that were read under an earlier claim: since the partition came back they are
        delivered again, and those before them may not have been committed."""
        buffer = self._buffers.get(partition)
        if buffer is not None and buffer.delivered < offset <= self._given_up_at.get(partition, -1):
            raise fenced(self._group)


def _same(claim: Claim, held: Claim | None) -> bool:
    return held is not None and held.epoch == claim.epoch
