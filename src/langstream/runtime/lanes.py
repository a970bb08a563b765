"""Nodes in which a processor follows an asynchronous one: one record of a key passes the whole node at a time.

What a later stage refuses may be due to what an earlier one looked up, so a failed record goes through the node from
the beginning. Its results, and those of its parts, count only when all of it went well: they are held back until then.
For that, a record enters the node when those before it with its key have passed. Records without a key enter at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from langstream.runtime.unit import Item, Unit, plain

if TYPE_CHECKING:
    from langstream.runtime.flow import Flow


class Lanes:
    """The entrance of such a node, and the way back to it."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._waiting: dict[bytes, deque[Item]] = {}
        self._admitted: list[Item] = []
        self._timers: dict[Unit, asyncio.TimerHandle] = {}

    @property
    def retrying(self) -> bool:
        """Some record waits for its next attempt."""
        return bool(self._timers)

    def admit(self, items: Iterable[Item]) -> None:
        """Records that were read."""
        entering: list[Item] = []
        for item in items:
            key = item.key
            if key is not None:
                item.unit.lane = key
                waiting = self._waiting.get(key)
                if waiting is not None:
                    waiting.append(item)
                    continue
                self._waiting[key] = deque()
            entering.append(item)
        if entering:
            self._flow.enter(self._flow.stages[0], entering)

    def park(self, items: Iterable[Item]) -> None:
        """Results for the sink, which is the last stage, wait for their siblings."""
        for item in items:
            item.unit.parked.append(item)

    def passed(self, unit: Unit) -> bool:
        """Called whenever something the unit waited for is done. False if other things follow."""
        if unit.pending != len(unit.parked):
            return False
        self._open(unit)
        if unit.parked:
            parked, unit.parked = unit.parked, []
            self._flow.enter(self._flow.stages[-1], parked)
            return False
        if unit.outputs and not self._flow.delivery.transactional:
            self._flow.delivery.release(unit)
            return False
        return True

    def restart(self, unit: Unit, delay_seconds: float) -> None:
        """From the beginning, after a while; what the record led to so far is void."""
        unit.life += 1
        unit.outputs.clear()
        unit.pending += 1 - len(unit.parked)
        unit.parked.clear()
        self._timers[unit] = asyncio.get_running_loop().call_later(delay_seconds, self._begin_anew, unit)

    def holds(self, unit: Unit) -> bool:
        """The record waits to enter, or has not passed the whole node."""
        return unit.lane is not None or unit in self._timers

    def end_cancelled(self) -> None:
        """Cancelled records do not wait for their next attempt."""
        for unit in [unit for unit in self._timers if unit.cancelled]:
            self._timers[unit].cancel()
            self._begin_anew(unit)

    def cancel(self) -> None:
        """No more attempts."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _begin_anew(self, unit: Unit) -> None:
        del self._timers[unit]
        self._flow.progressed()
        if not self._flow.failed:
            self._flow.enter(self._flow.stages[0], [Item(unit, plain(unit.sources[0]))])

    def _open(self, unit: Unit) -> None:
        """The next record of the key may enter. Those of one moment enter together."""
        key, unit.lane = unit.lane, None
        if key is None:
            return
        waiting = self._waiting[key]
        if not waiting:
            del self._waiting[key]
            return
        if not self._admitted:
            asyncio.get_running_loop().call_soon(self._enter_admitted)
        self._admitted.append(waiting.popleft())

    def _enter_admitted(self) -> None:
        admitted: Sequence[Item] = self._admitted
        self._admitted = []
        self._flow.enter(self._flow.stages[0], admitted)
