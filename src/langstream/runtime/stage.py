"""One stage of a node: feeds its worker by `Batching`, retries single records, and lets results leave in order.

Two rules hold whatever the worker does. A record leaves the stage after all records with an equal key that entered
before it, and after all records of the same source record that entered before it. Records wait only for records that
entered earlier, so nothing can wait in a circle.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from langstream.errors import RecordError
from langstream.runtime.policy import Policy
from langstream.runtime.unit import Item, Unit
from langstream.runtime.worker import Answer, Crash, Worker
from langstream.sdk.contract import CANCELLED, NotAttempted


class Owner(Protocol):
    """What a stage tells its node."""

    failed: bool
    """Nothing may be begun or let out any more."""
    undecided: int
    """Records that failed for good and may still fail the node: until that is decided, nothing is begun or let out."""

    def left(self, stage: Stage, items: Sequence[Item]) -> None:
        """These records left the stage, in order, with their results."""

    def gave_up(self, stage: Stage, item: Item, error: Exception) -> bool:
        """The record failed for good. False: its fate is not decided yet, `Stage.finish` will be called."""

    def restart(self, unit: Unit, delay_seconds: float) -> None:
        """Send the source record through the node once more."""

    def progressed(self) -> None:
        """Something came back from an agent."""

    def broke(self, error: BaseException) -> None:
        """The node cannot go on."""


class Stage:
    """A worker with the records that are inside."""

    def __init__(self, owner: Owner, index: int, worker: Worker, policy: Policy) -> None:
        self.index = index
        self.worker = worker
        self.draining = False
        self.restarts = False
        """A record that fails here goes through the whole node again: what an earlier stage found out may be different
        then. Otherwise it is tried again here."""
        self._owner = owner
        self._policy = policy
        self._entered = 0
        self._keys: dict[bytes, deque[Item]] = {}
        self._units: dict[Unit, deque[Item]] = {}
        self._ready: list[tuple[int, Item]] = []
        self._busy: set[bytes] = set()
        self._parked: dict[bytes, list[tuple[int, Item]]] = {}
        self._held: Counter[bytes | None] = Counter()
        self._calls: dict[asyncio.Task[None], list[Item]] = {}
        self._ended: set[asyncio.Task[None]] = set()
        """Calls whose records were cancelled: what they answer does not count."""
        self._deferred: list[Item] = []
        self._timers: dict[Item, asyncio.TimerHandle] = {}
        self._oldest: float | None = None
        self._flush: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Nothing is inside."""
        return not self._units

    @property
    def retrying(self) -> int:
        """Records that wait for their next attempt."""
        return len(self._timers)

    def items(self, unit: Unit) -> Sequence[Item]:
        """The records of the unit that are inside."""
        return tuple(self._units.get(unit, ()))

    # --- entering ---------------------------------------------------------------------------------------------------

    def enter(self, items: Iterable[Item]) -> None:
        """Take these records in, in order."""
        for item in items:
            self._register(item)
            heapq.heappush(self._ready, (item.sequence, item))
        self.pump()

    def adopt(self, items: Sequence[Item], answer: Answer) -> None:
        """Take in records that the worker has answered already."""
        for item in items:
            self._register(item)
            if item.key is not None:
                self._busy.add(item.key)
        self._settle(items, answer)
        self.pump()

    def _register(self, item: Item) -> None:
        """Queue the record up behind its key and its source record."""
        self._entered += 1
        item.sequence = self._entered
        siblings = self._units.get(item.unit)
        if siblings is None:
            self._units[item.unit] = deque((item,))
        else:
            siblings.append(item)
        if item.key is None:
            return
        lane = self._keys.get(item.key)
        if lane is None:
            self._keys[item.key] = deque((item,))
        else:
            lane.append(item)

    # --- feeding ----------------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Begin as many calls as the worker wants."""
        while self._ready and not self._owner.failed and not self._owner.undecided:
            batching = self.worker.batching
            if len(self._calls) >= max(1, batching.concurrency):
                return
            if self._waits_for_more(batching.max_records, batching.max_wait_seconds):
                return
            items, dead = self._take(max(1, batching.max_records), batching.ordering)
            if dead:
                self._finish_all(dead)
            if not items:
                continue
            if self.worker.synchronous:
                self._settle(items, self.worker.call([item.record for item in items]))
            else:
                self._begin(items)

    def _waits_for_more(self, max_records: int, max_wait: float) -> bool:
        """Whether an incomplete batch may still wait; if so, a timer is set."""
        if max_wait <= 0 or self.draining or len(self._ready) >= max_records:
            self._oldest = None
            return False
        loop = asyncio.get_running_loop()
        if self._oldest is None:
            self._oldest = loop.time()
        if loop.time() >= self._oldest + max_wait:
            self._oldest = None
            return False
        if self._flush is None:
            self._flush = loop.call_at(self._oldest + max_wait, self._waited)
        return True

    def _waited(self) -> None:
        self._flush = None
        self.pump()

    def _take(self, max_records: int, ordering: str) -> tuple[list[Item], list[Item]]:
        """The next batch in the order of entry, and records not worth processing any more."""
        items: list[Item] = []
        dead: list[Item] = []
        mine: set[bytes] = set()
        while self._ready and len(items) < max_records:
            item = self._ready[0][1]
            if item.alone and items:
                break
            heapq.heappop(self._ready)
            key = item.key
            if key is not None and ordering != "emission" and key in self._busy:
                if ordering == "serial" or key not in mine:
                    heapq.heappush(self._parked.setdefault(key, []), (item.sequence, item))
                    continue
            elif item.dead:
                dead.append(item)
                self._unpark(key)
                continue
            items.append(item)
            if key is not None:
                mine.add(key)
                self._busy.add(key)
                if ordering == "sequence":
                    self._unpark(key)
            if item.alone:
                break
        return items, dead

    def _unpark(self, key: bytes | None) -> None:
        """The next record of the key may be looked at."""
        parked = self._parked.get(key) if key is not None else None
        if parked:
            heapq.heappush(self._ready, heapq.heappop(parked))
            if not parked:
                del self._parked[key]  # type: ignore[arg-type]

    def _begin(self, items: list[Item]) -> None:
        call = asyncio.get_running_loop().create_task(self._call(items))
        self._calls[call] = items
        call.add_done_callback(self._called)

    async def _call(self, items: list[Item]) -> None:
        places = [item.place for item in items] if self.worker.placed else ()
        answer = await self.worker.acall([item.record for item in items], places)
        task = asyncio.current_task()
        if task in self._ended:  # the agent took no notice
            return
        if task is not None:
            self._calls.pop(task, None)
        self._settle(items, answer)
        self.pump()

    def _called(self, call: asyncio.Task[None]) -> None:
        items = self._calls.pop(call, [])
        if not call.cancelled() and (error := call.exception()) is not None:
            self._owner.broke(error)
        elif call in self._ended:
            self._ended.remove(call)
            self._owner.progressed()
            self._free(items)
            self._finish_all(items)
            self.pump()

    def end_cancelled(self) -> None:
        """Cancelled records are not worked on any longer, as far as the agent can be interrupted."""
        for call, items in self._calls.items():
            if self.worker.interruptible and all(item.unit.cancelled for item in items) and call not in self._ended:
                self._ended.add(call)
                call.cancel(CANCELLED)
        for item in [item for item in self._timers if item.unit.cancelled]:
            self._timers[item].cancel()
            self._retry(item)
        self.pump()

    # --- outcomes ---------------------------------------------------------------------------------------------------

    def _settle(self, items: Sequence[Item], answer: Answer) -> None:
        self._owner.progressed()
        if isinstance(answer, Crash):
            if len(items) > 1:  # find out which of them it is
                for item in items:
                    item.alone = True
                answer = [NotAttempted()] * len(items)
            else:
                answer = [answer.error]
        elif isinstance(answer[0], NotAttempted):
            answer = [RecordError("the agent did not attempt the first record of a batch"), *answer[1:]]
        finished: list[Item] = []
        again: list[Item] = []
        for item, outcome in zip(items, answer, strict=True):
            if self._owner.failed:
                break  # what comes after a failed record stays here
            if isinstance(outcome, NotAttempted):
                again.append(item)
            elif self._settle_one(item, outcome):
                finished.append(item)
            elif self._owner.undecided:
                self._let_out(finished)  # these came before it
                finished = []
        for item in again:
            heapq.heappush(self._ready, (item.sequence, item))
        self._free(items)
        self._leave(finished)

    def _settle_one(self, item: Item, outcome: Any) -> bool:
        """Whether the record is finished."""
        results = self.worker.results(outcome)
        if not isinstance(results, Exception):
            item.results = results
            item.finished = True
            self.worker.counts.returned(len(results))
            return True
        return self._failed(item, results)

    def _failed(self, item: Item, error: Exception) -> bool:
        if not item.unit.cancelled:
            self.worker.counts.failed()
        if item.dead:
            item.finished = True
            return True
        item.attempts += 1
        if self.restarts:
            item.unit.attempts += 1
            item.attempts = item.unit.attempts
        item.unit.anew = getattr(error, "retryable", None) is not True
        delay = self._policy.delay(item.attempts, error)
        if delay is None:
            item.finished = self._owner.gave_up(self, item, error)
            if not item.finished:
                self._hold(item)
            return item.finished
        self.worker.counts.retried()
        if self.restarts:
            self._owner.restart(item.unit, delay)
            item.finished = True
            return True
        self._hold(item)
        self._timers[item] = asyncio.get_running_loop().call_later(delay, self._retry, item)
        return False

    def _retry(self, item: Item) -> None:
        del self._timers[item]
        self._owner.progressed()
        if self._owner.failed:
            return
        self._held[item.key] -= 1
        heapq.heappush(self._ready, (item.sequence, item))
        self._free((item,))
        self._oldest = 0.0  # has waited long enough
        self.pump()

    def finish(self, item: Item) -> None:
        """The fate of a record that was given up is decided: it leaves without results."""
        item.finished = True
        self._held[item.key] -= 1
        self._free((item,))
        self._leave((item,))
        self.pump()

    def _finish_all(self, items: Sequence[Item]) -> None:
        for item in items:
            item.finished = True
        self._leave(items)

    def _hold(self, item: Item) -> None:
        """Later records of the key wait for this one."""
        self._held[item.key] += 1

    def _free(self, items: Iterable[Item]) -> None:
        """Keys of a call that came back are open again, unless a record of theirs is held."""
        for item in items:
            key = item.key
            if key is None or key not in self._busy:
                continue
            if self._held[key] > 0:
                continue
            self._held.pop(key, None)
            self._busy.discard(key)
            self._unpark(key)

    # --- leaving ----------------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """What was undecided is decided."""
        deferred, self._deferred = self._deferred, []
        self._leave(deferred)
        self.pump()

    def _leave(self, finished: Sequence[Item]) -> None:
        if self._owner.undecided:
            self._deferred += finished
        else:
            self._let_out(finished)

    def _let_out(self, finished: Iterable[Item]) -> None:
        """Let out whatever is at the head of both its key and its source record."""
        leaving: list[Item] = []
        for item in finished:
            candidates = [item]
            while candidates:
                candidate = candidates.pop()
                if candidate.finished and self._is_first(candidate):
                    leaving.append(candidate)
                    candidates += self._remove(candidate)
        if leaving:
            self._owner.left(self, leaving)

    def _is_first(self, item: Item) -> bool:
        siblings = self._units.get(item.unit)
        if siblings is None or siblings[0] is not item:
            return False
        return item.key is None or self._keys[item.key][0] is item

    def _remove(self, item: Item) -> list[Item]:
        """Take the record out; those behind it, which may leave now."""
        behind: list[Item] = []
        siblings = self._units[item.unit]
        siblings.popleft()
        if siblings:
            behind.append(siblings[0])
        else:
            del self._units[item.unit]
        if item.key is None:
            return behind
        lane = self._keys[item.key]
        lane.popleft()
        if not lane:
            del self._keys[item.key]
            return behind
        behind.append(lane[0])
        return behind

    # --- end --------------------------------------------------------------------------------------------------------

    async def cancel(self) -> None:
        """Stop everything under way."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)
