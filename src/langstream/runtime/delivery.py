"""Writing results and committing their sources.

Where the broker has transactions and the node reads a topic, the outputs of the finished prefix of every partition and
the offsets after it are one transaction: exactly once. So it is for sources that learn by the name of the last batch
what of theirs was written (`PreparedSource`). Otherwise outputs are written as soon as they leave the last stage, and a
source record is committed when everything before it, and all it led to, was acknowledged: at least once.

One delivery is under way at a time; whatever finishes meanwhile goes with the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias, TypeVar

from langstream.errors import BrokerUnavailable, Fenced, RecordError, TopicError
from langstream.records import SimpleRecord
from langstream.runtime.intake import Intake, TopicIntake
from langstream.runtime.unit import Tracker, Unit
from langstream.topics.contract import TopicProducer
from langstream.topics.encoding import rows_of

WAITS_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses while the broker cannot be reached. After the last one the node is restarted."""
HELD_UP_SECONDS: Final = 2.0
"""A delivery that takes longer is held up: what is begun now could not be committed soon, and might be repeated."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
Part: TypeAlias = tuple[Sequence[SimpleRecord], Unit]


class Rejoin(Exception):
    """The consumer must join its group anew; nothing is wrong with the node."""


class DeliveryOwner(Protocol):
    """What delivery tells its node."""

    def finished(self, unit: Unit) -> None:
        """Something the unit waited for is done."""

    def committed(self, trackers: Mapping[Tracker, Sequence[Unit]]) -> None:
        """These units are over and done with."""

    def written(self, records: int) -> None:
        """Records were acknowledged."""

    def unwritable(self, unit: Unit, bad: Sequence[tuple[SimpleRecord, Exception]]) -> None:
        """These results of the unit cannot be written as they are."""

    def progressed(self) -> None:
        """The broker answered."""


class Delivery:
    """Delivers what is finished. `transactional` as the broker and the input allow."""

    def __init__(
        self,
        owner: DeliveryOwner,
        intake: Intake,
        producer: TopicProducer,
        transactional: bool,
        *,
        holding: bool = False,
        pace_seconds: float = 0.0,
    ) -> None:
        """`holding`: results stay with their unit until `release`, for it may have to begin anew. Commits begin
        `pace_seconds` apart."""
        self._holding = holding
        self.transactional = transactional
        self._owner = owner
        self._intake = intake
        self._producer = producer
        self._finished: dict[Tracker, None] = {}
        self._queue: list[tuple[str, Sequence[SimpleRecord], Unit]] = []
        self._wake = asyncio.Event()
        self._working = asyncio.Lock()
        self._pace_seconds = pace_seconds
        self._not_before = 0.0
        self._later: asyncio.TimerHandle | None = None
        self._began: float | None = None

    # --- from the node ----------------------------------------------------------------------------------------------

    def emit(self, unit: Unit, topic: str, records: list[SimpleRecord]) -> None:
        """Results of the unit, in order."""
        if self.transactional or self._holding:
            unit.outputs.append((topic, records))
            return
        unit.pending += 1
        self._queue.append((topic, records, unit))
        self._wake.set()

    def release(self, unit: Unit) -> None:
        """Results that were held back on the unit may be written now."""
        outputs, unit.outputs = unit.outputs, []
        unit.pending += len(outputs)
        self._queue += [(topic, records, unit) for topic, records in outputs]
        self._wake.set()

    def ready(self, tracker: Tracker) -> None:
        """The first unit of the tracker is finished."""
        self._finished[tracker] = None
        self._wake.set()

    def held_up(self) -> bool:
        """Whether the broker has not taken something for a while. Nothing new should be begun then: sinks would go on
        doing what is repeated when the partition moves, and everything else waits for the broker anyway."""
        return self._began is not None and asyncio.get_running_loop().time() - self._began > HELD_UP_SECONDS

    # --- the loop ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until cancelled. Raises what the node cannot go on after."""
        while True:
            await self._wake.wait()
            await self._deliver()

    async def flush(self) -> None:
        """Deliver what is finished now, without minding the pace."""
        self._pace_seconds = 0.0
        self._wake.set()  # for what waited for its time
        await self._deliver()

    async def _deliver(self) -> None:
        async with self._working:
            while self._wake.is_set():
                self._wake.clear()
                self._began = asyncio.get_running_loop().time()
                try:
                    if self._queue:
                        await self._write()
                    if self._finished and self._in_step():
                        await self._commit()
                finally:
                    self._began = None

    def _in_step(self) -> bool:
        """Whether a commit may begin now. If not, delivery is woken when it may."""
        if not self._pace_seconds:
            return True
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._not_before:
            self._not_before = now + self._pace_seconds
            return True
        if self._later is None:
            self._later = loop.call_at(self._not_before, self._due)
        return False

    def _due(self) -> None:
        self._later = None
        self._wake.set()

    # --- at once ----------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        queue, self._queue = self._queue, []
        topics: dict[str, list[Part]] = {}
        for topic, records, unit in queue:
            if unit.tracker.dropped:
                continue
            topics.setdefault(topic, []).append((records, unit))
        for topic, parts in topics.items():
            await self._send(topic, parts)

    async def _send(self, topic: str, parts: list[Part]) -> None:
        while True:
            records = [record for part, _ in parts for record in part]
            try:
                if records:
                    await self._patiently(lambda: self._producer.send(topic, records))  # noqa: B023 - awaited here
            except TopicError:
                raise
            except Exception as error:
                parts = self._without_unwritable(parts, error)
                continue
            self._owner.written(len(records))
            for _, unit in parts:
                self._owner.finished(unit)
            return

    def _without_unwritable(self, parts: list[Part], error: Exception) -> list[Part]:
        kept: list[Part] = []
        found = False
        for records, unit in parts:
            bad = _unwritable(records, error)
            if bad:
                found = True
                self._owner.unwritable(unit, bad)
                names = {id(record) for record, _ in bad}
                kept.append(([record for record in records if id(record) not in names], unit))
            else:
                kept.append((records, unit))
        if not found:
            raise error
        return kept

    # --- in transactions --------------------------------------------------------------------------------------------

    async def _commit(self) -> None:
        finished: dict[Tracker, list[Unit]] = {}
        for tracker in self._finished:
            if not tracker.dropped and (units := tracker.take_finished()):
                finished[tracker] = units
        self._finished.clear()
        if not finished:
            return
        try:
            if self.transactional:
                await self._transact(finished)
            else:
                await self._while_ours(finished, lambda: self._intake.commit(finished))
        except BaseException as error:
            for tracker, units in finished.items():
                tracker.put_back(units)
                self._finished[tracker] = None
            if not self._recovered(finished, error):
                raise
            self._wake.set()
            return
        self._owner.committed(finished)

    async def _transact(self, finished: Mapping[Tracker, Sequence[Unit]]) -> None:
        sends: dict[str, list[SimpleRecord]] = {}
        for units in finished.values():
            for unit in units:
                for topic, records in unit.outputs:
                    sends.setdefault(topic, []).extend(records)
        batches = list(sends.items())
        await self._while_ours(finished, lambda: self._intake.transact(finished, batches, self._producer))
        self._owner.written(sum(len(records) for records in sends.values()))

    def _recovered(self, finished: Mapping[Tracker, Sequence[Unit]], error: BaseException) -> bool:
        """Whether another try makes sense after what was done about the error."""
        if isinstance(error, Fenced):
            moved = any(tracker.dropped for tracker in finished)
            if isinstance(self._intake, TopicIntake) and (self._intake.fenced(finished.keys()) or moved):
                _log.info("%s", error)
                return True
            if not isinstance(self._intake, TopicIntake):
                return False
            raise Rejoin(str(error)) from error
        if isinstance(error, TopicError) or not isinstance(error, Exception) or not self.transactional:
            return False
        culprits = [
            (unit, bad) for units in finished.values() for unit in units if (bad := _unwritable(_outputs(unit), error))
        ]
        for unit, bad in culprits:
            self._owner.unwritable(unit, bad)
        return bool(culprits)

    async def _while_ours(
        self, finished: Mapping[Tracker, Sequence[Unit]], call: Callable[[], Awaitable[None]]
    ) -> None:
        """Patiently, but not for records of partitions that went away meanwhile, even if they came back since: then
        the same records were read anew, and will be delivered as such."""

        async def attempt() -> None:
            if any(tracker.dropped for tracker in finished):
                raise Fenced("a partition moved while the broker could not be reached; its records are delivered again")
            await call()

        await self._patiently(attempt)

    async def _patiently(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Try again while the broker is away: nothing was acknowledged."""
        for wait in WAITS_SECONDS:
            try:
                result = await call()
                self._owner.progressed()
                return result
            except BrokerUnavailable as error:
                _log.warning("the broker cannot be reached, trying again in %s s: %s", wait, error)
                await asyncio.sleep(wait)
        return await call()


def _outputs(unit: Unit) -> list[SimpleRecord]:
    return [record for _, records in unit.outputs for record in records]


def _unwritable(records: Iterable[SimpleRecord], error: Exception) -> list[tuple[SimpleRecord, Exception]]:
    """The records that no topic can take, or that the broker named in its error, and why."""
    refused = error.record if isinstance(error, RecordError) else None
    bad: list[tuple[SimpleRecord, Exception]] = []
    for record in records:
        if record is refused:
            bad.append((record, error))
            continue
        try:
            rows_of([record])
        except Exception as error:
            bad.append((record, error))
    return bad
