"""Where a node's records come from: a member of a consumer group, or a source agent. Both give batches to track."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from langstream.errors import AgentFailed
from langstream.records import Record, SimpleRecord
from langstream.runtime.unit import Batch, Tracker, Unit, plain
from langstream.runtime.worker import harmless
from langstream.sdk.contract import PreparedSource, Source
from langstream.topics.contract import TopicCluster, TopicConsumer, TopicPartition, TopicProducer, TopicPublisher

POLL_SECONDS: Final = 5.0
"""How long one poll may wait; also the longest silence of a healthy reader."""
REVOKE_SECONDS: Final = 8.0
"""Records in flight get this long to finish when their partition moves; brokers take it away a little later."""
_EMPTY_PAUSES: Final = (0.01, 0.5)
"""First and longest pause after a read of a source that neither waited nor gave anything."""


Sends: TypeAlias = Sequence[tuple[str, Sequence[SimpleRecord]]]
"""Topics, and the records for them."""


class Intake(Protocol):
    """What the node reads from."""

    async def start(self) -> None:
        """Get ready."""

    async def read(self, max_records: int) -> Sequence[Batch]:
        """The next records; may be empty after a while. May be cancelled."""

    async def commit(self, finished: Mapping[Tracker, Sequence[Unit]]) -> None:
        """Everything these units led to is safe."""

    async def transact(self, finished: Mapping[Tracker, Sequence[Unit]], sends: Sends, producer: TopicProducer) -> None:
        """The same, and write what they led to: all of it or nothing. May be repeated while the broker is away."""

    async def lag(self) -> int | None:
        """Records to come, where that is known."""

    async def close(self) -> None:
        """Let go; what is not committed comes again."""


class TopicIntake:
    """A consumer of the node's input topic. `on_drop` learns of trackers whose partition went to another member."""

    def __init__(
        self,
        cluster: TopicCluster,
        topic: str,
        group: str,
        options: Mapping[str, Any],
        on_drop: Callable[[Tracker], None],
    ) -> None:
        self.topic = topic
        self.trackers: dict[TopicPartition, Tracker] = {}
        self._on_drop = on_drop
        self._emptied = asyncio.Event()
        self._closed = False
        self.consumer: TopicConsumer = cluster.consumer(topic, group, options=options, on_revoked=self._revoked)

    async def start(self) -> None:
        """Join the group."""
        await self.consumer.start()

    async def read(self, max_records: int) -> Sequence[Batch]:
        """One batch per run of a partition."""
        batches = []
        for run in await self.consumer.poll(max_records, POLL_SECONDS):
            partition = TopicPartition(run.topic, run.partition)
            tracker = self.trackers.get(partition)
            if tracker is None:
                tracker = self.trackers[partition] = Tracker(partition)
            batches.append(Batch(tracker, run.records, run.offsets))
        return batches

    async def commit(self, finished: Mapping[Tracker, Sequence[Unit]]) -> None:
        """Store the offsets after the units."""
        await self.consumer.commit(self._offsets(finished))

    async def transact(self, finished: Mapping[Tracker, Sequence[Unit]], sends: Sends, producer: TopicProducer) -> None:
        """Outputs and offsets."""
        if sends:
            await producer.transact(sends, self.consumer, self._offsets(finished))
        else:
            await self.commit(finished)

    def _offsets(self, finished: Mapping[Tracker, Sequence[Unit]]) -> dict[TopicPartition, int]:
        """The next offsets to read after these units."""
        return {
            tracker.partition: units[-1].next_offset
            for tracker, units in finished.items()
            if tracker.partition is not None
        }

    def settled(self) -> None:
        """Something was committed: a revocation may be waiting for it."""
        self._emptied.set()

    def fenced(self, trackers: Collection[Tracker]) -> bool:
        """Drop those whose partition is gone. False if all of them seem to be owned still."""
        owned = self.consumer.assignment()
        lost = [tracker for tracker in trackers if tracker.partition not in owned]
        for tracker in lost:
            self._drop(tracker)
        return bool(lost)

    async def lag(self) -> int | None:
        """Over all partitions owned."""
        return sum((await self.consumer.lag()).values())

    async def close(self) -> None:
        """Leave the group."""
        self._closed = True
        self._emptied.set()
        await self.consumer.close()

    async def _revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Give records in flight a chance to be committed; drop what is left."""
        mine = [self.trackers[partition] for partition in partitions if partition in self.trackers]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + REVOKE_SECONDS
        owned = self.consumer.assignment()
        try:
            while any(tracker.size for tracker in mine if tracker.partition in owned) and not self._closed:
                self._emptied.clear()
                await asyncio.wait_for(self._emptied.wait(), deadline - loop.time())
        except TimeoutError:
            pass  # another member repeats them
        finally:
            for tracker in mine:
                self._drop(tracker)

    def _drop(self, tracker: Tracker) -> None:
        if tracker.partition is not None and self.trackers.get(tracker.partition) is tracker:
            del self.trackers[tracker.partition]
        if not tracker.dropped:
            tracker.dropped = True
            self._on_drop(tracker)


class SourceIntake:
    """A source agent. With a publisher, its results are written in transactions."""

    def __init__(self, source: Source, name: str, publisher: TopicPublisher | None = None) -> None:
        self._source = source
        self._name = name
        self._publisher = publisher
        self._prepared: tuple[Mapping[Tracker, Sequence[Unit]], str] | None = None
        self._tracker = Tracker(None)
        self._pause = _EMPTY_PAUSES[0]

    async def start(self) -> None:
        """The agent is started with the others; it learns where it stands."""
        written = await self._publisher.start() if self._publisher is not None else None
        if isinstance(self._source, PreparedSource):
            await self._own(self._source.resume(written))

    async def read(self, max_records: int) -> Sequence[Batch]:
        """What the source has; never a busy loop, whatever it does."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        originals = await self._own(self._source.read(max_records))
        if not isinstance(originals, Sequence) or not all(isinstance(record, Record) for record in originals):
            raise AgentFailed(f"agent {self._name}: read() gave something other than a list of records")
        if originals:
            self._pause = _EMPTY_PAUSES[0]
            return [Batch(self._tracker, [plain(record) for record in originals], originals=originals)]
        if loop.time() - began < _EMPTY_PAUSES[0]:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, _EMPTY_PAUSES[1])
        return ()

    async def commit(self, finished: Mapping[Tracker, Sequence[Unit]]) -> None:
        """Tell the source, in the order of its records."""
        await self._skip(finished)
        await self._own(self._source.commit(_sources(finished)))

    async def transact(self, finished: Mapping[Tracker, Sequence[Unit]], sends: Sends, producer: TopicProducer) -> None:
        """Prepare, publish, commit. What is repeated keeps the name that it was prepared under."""
        source, publisher = self._source, self._publisher
        assert isinstance(source, PreparedSource)
        assert publisher is not None
        await self._skip(finished)
        if sends:
            if self._prepared is None or self._prepared[0] is not finished:
                batch = uuid.uuid4().hex
                await self._own(source.prepare(batch, _sources(finished)))
                self._prepared = finished, batch
            await publisher.publish(self._prepared[1], sends)
        await self._own(source.commit(_sources(finished)))
        self._prepared = None

    async def permanent_failure(self, record: Record, error: Exception) -> None:
        """Ask the source what to do; returns if the node may go on without the record."""
        await self._own(self._source.permanent_failure(record, error))

    async def lag(self) -> int | None:
        """Nobody knows."""
        return None

    async def close(self) -> None:
        """The agent is closed with the others."""
        if self._publisher is not None:
            await self._publisher.close()

    async def _skip(self, finished: Mapping[Tracker, Sequence[Unit]]) -> None:
        units = [unit for finished_units in finished.values() for unit in finished_units if unit.abandoned]
        if left_out := [record for unit in units for record in unit.sources]:
            await self._own(self._source.skipped(left_out))

    async def _own(self, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise AgentFailed(f"agent {self._name}: its work was cancelled from inside") from None
        except BaseException as error:  # sys.exit() is a failure of the agent, not of the process
            raise harmless(error) from error


def _sources(finished: Mapping[Tracker, Sequence[Unit]]) -> list[Record]:
    return [record for units in finished.values() for unit in units for record in unit.sources]


class NoIntake:
    """A node without input: nothing ever comes."""

    async def start(self) -> None:
        """Nothing."""

    async def read(self, max_records: int) -> Sequence[Batch]:
        """Wait until cancelled."""
        await asyncio.Event().wait()
        return ()

    async def commit(self, finished: Mapping[Tracker, Sequence[Unit]]) -> None:
        """Nothing."""

    async def transact(self, finished: Mapping[Tracker, Sequence[Unit]], sends: Sends, producer: TopicProducer) -> None:
        """Nothing."""

    async def lag(self) -> int | None:
        """None."""
        return None

    async def close(self) -> None:
        """Nothing."""
