"""Cancelling records of one replica: those in flight when a cancellation is heard, and those read after it.

A cancelled record did not fail. It leaves the node without results, in the order of its key, and is committed with the
others. What is done already stays done: a record whose results are on their way out, or in the sink, is left alone, and
so is one whose answer was streamed to the end. Clients leave when they have their answer, and what comes after it (its
history, say) is not theirs to cancel.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from langstream.runtime.announcements import Announcements
from langstream.runtime.cancellation import Cancellations
from langstream.runtime.intake import TopicIntake
from langstream.runtime.unit import Item, Unit
from langstream.runtime.worker import Worker

if TYPE_CHECKING:
    from langstream.runtime.flow import Flow

_log: Final = logging.getLogger(__name__)


class Cancelling:
    """Watches over the records of a flow that work for these answers topics. `close` it."""

    def __init__(self, flow: Flow, intake: TopicIntake, announcements: Announcements, answers: frozenset[str]) -> None:
        self._flow = flow
        self._intake = intake
        self._announcements = announcements
        self._answers = answers
        streaming = [stage.index for stage in flow.stages if stage.worker.streams]
        self._last = max(streaming, default=len(flow.stages) - 1)
        """The last stage in which a record can be cancelled."""
        announcements.follow(self.heard)

    def close(self) -> None:
        """Hear no more."""
        self._announcements.leave(self.heard)

    def screened(self, items: list[Item]) -> list[Item]:
        """The records that were just read, without those that were cancelled before."""
        known = self._announcements.known
        if not known:
            return items
        cancelled = [item.unit for item in items if known.cover(item.unit.sources[0], self._answers)]
        if not cancelled:
            return items
        self._note(self._first(), len(cancelled))
        for unit in cancelled:
            unit.cancel()
            self._flow.finished(unit)
        return [item for item in items if not item.unit.cancelled]

    def heard(self, news: Cancellations) -> None:
        """Cancel what is in flight."""
        flow = self._flow
        if flow.failed:
            return
        found: dict[Worker, int] = {}
        for tracker in list(self._intake.trackers.values()):
            for unit in tracker.units:
                if unit.pending and not unit.dead and news.cover(unit.sources[0], self._answers):
                    worker = self._where(unit)
                    if worker is not None:
                        unit.cancel()
                        found[worker] = found.get(worker, 0) + 1
        if not found:
            return
        for worker, count in found.items():
            self._note(worker, count)
        if flow.lanes is not None:
            flow.lanes.end_cancelled()
        for stage in flow.stages:
            if not stage.worker.sink:
                stage.end_cancelled()

    def _where(self, unit: Unit) -> Worker | None:
        """The agent that has it, or will; None when it is too late."""
        found: Worker | None = None
        for stage in self._flow.stages:
            worker = stage.worker
            items = stage.items(unit) if not worker.sink else ()
            if not items:
                continue
            if stage.index > self._last or any(_answered(worker, item) for item in items):
                return None
            found = found or worker
        if found is not None:
            return found
        lanes = self._flow.lanes
        return self._first() if lanes is not None and lanes.holds(unit) else None

    def _first(self) -> Worker:
        """The first agent that waits for something: up to there nothing is lost by going on."""
        workers = [stage.worker for stage in self._flow.stages]
        return next(worker for worker in workers if not worker.synchronous)

    def _note(self, worker: Worker, count: int) -> None:
        worker.counts.cancelled(count)
        what = "a record was" if count == 1 else f"{count} records were"
        _log.info("agent %s: %s cancelled, because the client that asked is gone", worker.name, what)


def _answered(worker: Worker, item: Item) -> bool:
    return worker.streams and (item.finished or worker.is_told(item.record))
