"""The way of records through a node: from batches that were read, through its stages, to delivery.

A node of synchronous processors has a straight way: a whole run of records goes from stage to stage as a list, and is
one unit. Only when something special happens to a record of the run (a failure, an unknown topic) is the run taken
apart into units of one record, without repeating any work. With asynchronous stages, and while records are being
retried, every record is a unit of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langstream.application.model import OnFailure
from langstream.errors import AgentFailed, TopicNotFound
from langstream.records import Dispatched, SimpleRecord
from langstream.runtime.cancelling import Cancelling
from langstream.runtime.delivery import Delivery
from langstream.runtime.intake import Intake, SourceIntake, TopicIntake
from langstream.runtime.lanes import Lanes
from langstream.runtime.metrics import NodeCounts
from langstream.runtime.policy import Failure, Policy, Redactor
from langstream.runtime.stage import Stage
from langstream.runtime.straight import Sends, onward, owners_of, unparse, walk
from langstream.runtime.unit import Batch, Item, Trace, Tracker, Unit, content_digest, plain
from langstream.runtime.worker import Answer, Crash, Worker
from langstream.topics.contract import TopicProducer

SLICE: Final = 100
"""Records that go through all stages before the next ones begin: few enough to stay in the processor's caches."""
LOG_SECONDS: Final = 1.0
"""Between two log lines about records given up; the ones in between are counted."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a node's results may go. `exists` asks the broker whether there is a topic of that name."""

    node_id: str
    output: str | None
    dead_letter: str | None
    known: set[str]
    exists: Callable[[str], Any]


class Flow:
    """The records in flight in one replica."""

    def __init__(
        self,
        workers: Sequence[Worker],
        policy: Policy,
        ends: Ends,
        intake: Intake,
        producer: TopicProducer,
        *,
        transactional: bool,
        counts: NodeCounts,
        redact: Redactor,
        on_failure: Callable[[BaseException], None],
        pace_seconds: float = 0.0,
    ) -> None:
        self.stages: list[Stage] = [Stage(self, index, worker, policy) for index, worker in enumerate(workers)]
        self.lanes = Lanes(self) if _chained(workers) else None
        self.delivery = Delivery(
            self, intake, producer, transactional, holding=self.lanes is not None, pace_seconds=pace_seconds
        )
        for index, stage in enumerate(self.stages):
            stage.restarts = not stage.worker.sink and not all(worker.synchronous for worker in workers[:index])
        self.cancelling: Cancelling | None = None
        """Drops records that nobody waits for any more; set before the first one is read."""
        self.counts = counts
        self.in_flight = 0
        self.failed = False
        self.undecided = 0
        self.error: BaseException | None = None
        self.changed = asyncio.Event()
        """There is room again, or the flow failed."""
        self.last_progress = asyncio.get_running_loop().time()
        self._straight = all(worker.synchronous for worker in workers)
        self._remembering = [worker for worker in workers if worker.placed]
        self._policy = policy
        self._ends = ends
        self._intake = intake
        self._redact = redact
        self._on_failure = on_failure
        self._unresolved: dict[str, list[Item]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged: float | None = None
        self._unlogged = 0

    @property
    def straight(self) -> bool:
        """All stages are synchronous."""
        return self._straight

    # --- in ---------------------------------------------------------------------------------------------------------

    def accept(self, batch: Batch) -> None:
        """Records that were read."""
        size = len(batch.originals)
        self.in_flight += size
        self.counts.read(size)
        self.progressed()
        if batch.tracker.dropped:
            self.in_flight -= size
            return
        for piece in batch.slices(SLICE):
            if self._straight and not self._unresolved and all(stage.idle for stage in self.stages):
                self._run_straight(piece)
            else:
                self._run_singly(piece)

    def _run_straight(self, batch: Batch) -> None:
        records, sends, trace = batch.records, Sends(), Trace(batch)
        for stage in self.stages:
            if not records:
                break
            answer = stage.worker.call(records)
            results = onward(answer, sends)
            if results is None:
                self._take_apart(trace, stage, records, answer)
                return
            assert not isinstance(answer, Crash)
            stage.worker.counts.returned(len(results))
            trace.outcomes.append(answer)
            records = results
        sends.add_final(records, self._ends.output)
        if not sends.topics.keys() <= self._ends.known:
            self._take_apart(trace, None, records, ())
            return
        unparse(batch.records)
        for results in sends.topics.values():
            unparse(results)
        self._complete(batch, sends.topics, trace)

    def _complete(self, batch: Batch, topics: Mapping[str, list[SimpleRecord]], trace: Trace) -> None:
        unit = batch.unit()
        unit.trace = trace
        unit.tracker.add(unit)
        for topic, records in topics.items():
            if records:
                self.delivery.emit(unit, topic, records)
        self.finished(unit)

    def _run_singly(self, batch: Batch) -> None:
        units = batch.units()
        for unit in units:
            batch.tracker.add(unit)
        items = [Item(unit, record) for unit, record in zip(units, batch.records, strict=True)]
        if self.cancelling is not None:
            items = self.cancelling.screened(items)
        if self.lanes is not None:
            self.lanes.admit(items)
            return
        if self.stages:
            self.enter(self.stages[0], items)
            return
        for item in items:
            self._final(item.unit, item.record)
            self.finished(item.unit)

    def enter(self, stage: Stage, items: Sequence[Item]) -> None:
        """Records go into a stage."""
        if stage.worker.sink:
            self.counts.written(len(items))
        stage.enter(items)

    def _take_apart(self, trace: Trace, stage: Stage | None, records: Sequence[SimpleRecord], answer: Answer) -> None:
        """Go on with every source record by itself, from the stage's answer (or from the end)."""
        units = trace.batch.units()
        for unit in units:
            trace.batch.tracker.add(unit)
        for unit, record in walk(trace, units):
            if isinstance(record, Dispatched):
                self._output(unit, str(record.destination), record)
        owners = owners_of(trace, units)
        items = [Item(owner, record) for owner, record in zip(owners, records, strict=True)]
        for item in items:
            item.unit.pending += 1
        if stage is not None:
            stage.adopt(items, answer)
        else:
            for item in items:
                self._final(item.unit, item.record)
                self.finished(item.unit)
        for unit in units:
            self.finished(unit)

    # --- between stages ---------------------------------------------------------------------------------------------

    def left(self, stage: Stage, items: Sequence[Item]) -> None:
        """Results go on to the next stage, or out."""
        following = self.stages[stage.index + 1] if stage.index + 1 < len(self.stages) else None
        further: list[Item] = []
        for item in items:
            unit = item.unit
            if not item.dead:
                several = len(item.results) > 1
                for number, record in enumerate(item.results):
                    if isinstance(record, Dispatched):
                        self._output(unit, str(record.destination), record)
                    elif following is not None:
                        unit.pending += 1
                        further.append(Item(unit, record, (*item.path, number) if several else item.path))
                    else:
                        self._final(unit, record)
        if further and following is not None:
            if self.lanes is not None and following.worker.sink:
                self.lanes.park(further)
            else:
                self.enter(following, further)
        for item in items:
            self.finished(item.unit)

    def _final(self, unit: Unit, record: SimpleRecord) -> None:
        topic = record.destination if record.destination is not None else self._ends.output
        if topic is not None:
            self._output(unit, topic, record)

    def _output(self, unit: Unit, topic: str, record: SimpleRecord) -> None:
        if topic in self._ends.known:
            self.delivery.emit(unit, topic, [record])
            return
        unit.pending += 1
        waiting = self._unresolved.get(topic)
        if waiting is not None:
            waiting.append(Item(unit, record))
            return
        self._unresolved[topic] = [Item(unit, record)]
        self._begin(self._resolve(topic))

    async def _resolve(self, topic: str) -> None:
        """Is there such a topic? If not, it is an error of the records."""
        exists = await self._ends.exists(topic)
        if exists:
            self._ends.known.add(topic)
        for item in self._unresolved.pop(topic):
            unit = item.unit
            if item.dead:
                pass
            elif exists:
                self.delivery.emit(unit, topic, [item.record])
            elif not self._give_up(unit, self._end(), TopicNotFound(f"there is no topic {topic!r} to send it to"), 1):
                continue
            self.finished(unit)

    def finished(self, unit: Unit) -> None:
        """One thing less that the unit waits for."""
        unit.pending -= 1
        if self.lanes is not None and not self.lanes.passed(unit):
            return
        if unit.pending == 0:
            units = unit.tracker.units
            if units and units[0] is unit:
                self.delivery.ready(unit.tracker)

    # --- failures ---------------------------------------------------------------------------------------------------

    def gave_up(self, stage: Stage, item: Item, error: Exception) -> bool:
        """The record failed for good in this stage."""
        return self._give_up(item.unit, stage.worker, error, item.attempts, lambda: stage.finish(item))

    def restart(self, unit: Unit, delay_seconds: float) -> None:
        """The source record goes through the node once more."""
        assert self.lanes is not None
        self.lanes.restart(unit, delay_seconds)

    def unwritable(self, unit: Unit, bad: Sequence[tuple[SimpleRecord, Exception]]) -> None:
        """Results no topic can take are the failure of their source records."""
        if unit.trace is None:
            self._give_up_output(unit, unit, bad[0][1])
            return
        reasons = {id(record): error for record, error in bad}
        units = unit.trace.batch.units()
        for owner, record in walk(unit.trace, units):
            carrier = owner if self.delivery.transactional else unit
            topic = record.destination if record.destination is not None else self._ends.output
            if self.delivery.transactional and topic is not None and not owner.abandoned:
                owner.outputs.append((topic, [record]))
            if id(record) in reasons:
                self._give_up_output(owner, carrier, reasons[id(record)])
        if self.delivery.transactional:
            self._replace(unit, units)

    def _give_up_output(self, unit: Unit, carrier: Unit, error: Exception) -> None:
        """`carrier` is committed only when it is decided what becomes of `unit`."""
        if not self._give_up(unit, self._end(), error, 1, lambda: self.finished(carrier), carrier):
            carrier.pending += 1

    def _replace(self, unit: Unit, units: Sequence[Unit]) -> None:
        """Put the units of single records where the unit of their run was."""
        queue = unit.tracker.units
        place = queue.index(unit)
        behind = [queue.pop() for _ in range(len(queue) - place)]
        for single in units:
            single.pending -= 1
            queue.append(single)
        queue.extend(reversed(behind[:-1]))

    def _give_up(
        self,
        unit: Unit,
        worker: Worker | None,
        error: Exception,
        attempts: int,
        decided: Callable[[], None] | None = None,
        carrier: Unit | None = None,
    ) -> bool:
        """Apply the policy. False if the unit must not go on: now, or until `decided` is called."""
        if unit.dead:
            return True
        name = getattr(error, "agent_id", None) or (worker.name if worker else self._ends.node_id)
        partition = unit.tracker.partition
        failure = Failure(name, error, attempts, partition, unit.offset if partition else None)
        self._report(failure)
        if self._policy.on_failure is OnFailure.SKIP:
            unit.abandon()
            return True
        if isinstance(self._intake, SourceIntake):
            self.undecided += 1
            self._begin(self._ask_source(self._intake, unit, failure, decided))
            return False
        if self._policy.on_failure is OnFailure.DEAD_LETTER and self._ends.dead_letter is not None:
            unit.abandon()
            letter = failure.dead_letter(plain(unit.sources[0]), self._redact)
            self.delivery.emit(carrier or unit, self._ends.dead_letter, [letter])
            if worker is not None:
                worker.counts.dead_lettered()
            return True
        self._fail(failure)
        return False

    async def _ask_source(
        self, source: SourceIntake, unit: Unit, failure: Failure, decided: Callable[[], None] | None
    ) -> None:
        """A source decides about its own records: go on without this one, or stop."""
        assert isinstance(failure.error, Exception)
        try:
            await source.permanent_failure(unit.sources[0], failure.error)
        except Exception:
            self._fail(failure)
            return
        unit.abandon()
        self.undecided -= 1
        if decided is not None:
            decided()
        else:
            self.finished(unit)
        if not self.undecided:
            for stage in reversed(self.stages):
                stage.resume()

    def _fail(self, failure: Failure) -> None:
        error = AgentFailed(failure.describe(self._redact))
        error.__cause__ = failure.error
        self.broke(error)

    def _report(self, failure: Failure) -> None:
        """One log line now and then, however many records fail."""
        now = asyncio.get_running_loop().time()
        if self._logged is not None and now - self._logged < LOG_SECONDS:
            self._unlogged += 1
            return
        others = f" ({self._unlogged} more like it were not logged)" if self._unlogged else ""
        self._logged, self._unlogged = now, 0
        _log.warning("%s; on-failure: %s%s", failure.describe(self._redact), self._policy.on_failure.value, others)

    def _end(self) -> Worker | None:
        """To blame for what turns out at the end."""
        return self.stages[-1].worker if self.stages else None

    # --- state ------------------------------------------------------------------------------------------------------

    def broke(self, error: BaseException) -> None:
        """The first failure is the one that counts."""
        if not self.failed:
            self.failed = True
            self.error = error
            self._on_failure(error)
        self.changed.set()

    def progressed(self) -> None:
        """Something happened."""
        self.last_progress = asyncio.get_running_loop().time()

    def committed(self, trackers: Mapping[Tracker, Sequence[Unit]]) -> None:
        """Make room."""
        for tracker, units in trackers.items():
            for worker in self._remembering:
                if tracker.partition is not None:
                    worker.committed(*tracker.partition, units[-1].next_offset)
                else:
                    for unit in units:
                        worker.settled(content_digest(unit.sources[0]))
            if tracker.dropped:
                continue
            size = sum(len(unit.sources) for unit in units)
            tracker.size -= size
            self.in_flight -= size
        if isinstance(self._intake, TopicIntake):
            self._intake.settled()
        self.progressed()
        self.changed.set()

    def written(self, records: int) -> None:
        """Records are in their topics."""
        if records:
            self.counts.written(records)

    def dropped(self, tracker: Tracker) -> None:
        """A partition is gone with all that was in flight of it."""
        self.in_flight -= tracker.size
        tracker.size = 0
        self.changed.set()

    @property
    def retrying(self) -> bool:
        """Something waits for its next attempt: silence is intended."""
        return any(stage.retrying for stage in self.stages) or (self.lanes is not None and self.lanes.retrying)

    def drain(self) -> None:
        """Nothing more will come: incomplete batches need not wait."""
        for stage in self.stages:
            stage.draining = True
            stage.pump()

    async def cancel(self) -> None:
        """Drop what is under way."""
        if self.lanes is not None:
            self.lanes.cancel()
        for stage in self.stages:
            await stage.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broke(error)


def _chained(workers: Sequence[Worker]) -> bool:
    """Whether a record that fails in one stage may have to go through an asynchronous one again."""
    processors = [worker for worker in workers if not worker.sink]
    return not all(worker.synchronous for worker in processors[:-1])
