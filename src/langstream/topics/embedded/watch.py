"""What the reading thread does between calls: notice what other processes wrote, and show that this one is alive.

`PRAGMA data_version` costs a look into shared memory. While somebody waits it is asked every few milliseconds, less
often the longer nothing happens; only when it changed are the tables looked at. While nobody waits, groups alone are
looked after. A process that has the directory to itself only looks, ten times a second, whether that is still so.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from langstream.topics.embedded.membership import processes
from langstream.topics.embedded.presence import Presence
from langstream.topics.local.signals import Signals

if TYPE_CHECKING:
    import apsw

SHORTEST_SECONDS: Final = 0.002
LONGEST_SECONDS: Final = 0.02
ALONE_SECONDS: Final = 0.1
BUSY_SECONDS: Final = 0.1
GROWTH: Final = 1.05
HEARTBEAT_SECONDS: Final = 1.0

_STATE: Final = """
SELECT json_object('groups', (SELECT count FROM changes WHERE kind = 'groups'),
                   'topics', json((SELECT json_group_object(topic, next) FROM
                                   (SELECT topic, sum(next) AS next FROM partitions GROUP BY topic))))
"""


_log = logging.getLogger(__name__)


class Watch:
    """The `tick` of the reading thread. Callbacks are called in that thread."""

    def __init__(
        self,
        signals: Signals,
        presence: Presence,
        on_records: Callable[[list[int]], None],
        on_groups: Callable[[], None],
        on_dead: Callable[[str], None],
    ) -> None:
        self._signals = signals
        self._presence = presence
        self._on_records = on_records
        self._on_groups = on_groups
        self._on_dead = on_dead
        self._version = 0
        self._ends: dict[str, int] = {}
        self._groups = 0
        self._interval = SHORTEST_SECONDS
        self._heartbeat = 0.0
        self._next_groups = 0.0
        self._settled = -1
        """As many had come or gone when this process was alone, and nothing was left to notice."""

    def __call__(self, connection: apsw.Connection) -> float:
        """Look, and tell in how many seconds to look again."""
        import apsw

        try:
            due = time.monotonic() >= self._heartbeat
            if due:
                self._heartbeat = time.monotonic() + HEARTBEAT_SECONDS
                self._presence.announce()
            alone, comings = self._presence.is_alone(), self._presence.comings
            if alone and comings == self._settled and not due:  # nobody came and left again in the meantime
                return ALONE_SECONDS
            self._settled = -1
            orphans = (due or alone) and self._look_for_dead(connection)
            if not alone and not self._signals.waiting and not self._members_due():
                return LONGEST_SECONDS
            if self._look(connection):
                self._interval = SHORTEST_SECONDS
            else:
                self._interval = min(LONGEST_SECONDS, self._interval * GROWTH)
            if alone and not orphans:  # whoever left last may have changed something, so not before this
                self._settled = comings
        except (apsw.Error, OSError) as error:  # callers are told by their own calls
            _log.debug("looking for changes failed: %s", error)
            return HEARTBEAT_SECONDS
        return self._interval

    def pace(self) -> float:
        """In how many seconds to look, after a call that may be followed by waiting."""
        return self._interval if self._signals.waiting else LONGEST_SECONDS

    def _members_due(self) -> bool:
        """Changes of groups matter even while everybody is busy, though less urgently."""
        now = time.monotonic()
        if now < self._next_groups or not self._signals.watched_groups():
            return False
        self._next_groups = now + BUSY_SECONDS
        return True

    def _look(self, connection: apsw.Connection) -> bool:
        version = connection.pragma("data_version")
        if version == self._version:
            return False
        state = json.loads(connection.execute(_STATE).get)
        self._version = version
        ends: dict[str, int] = state["topics"]
        grown = [int(topic) for topic in ends.keys() | self._ends.keys() if ends.get(topic) != self._ends.get(topic)]
        self._ends = ends
        if grown:
            self._on_records(grown)
        if state["groups"] != self._groups:
            self._groups = state["groups"]
            self._on_groups()
        return True

    def _look_for_dead(self, connection: apsw.Connection) -> bool:
        """Whether there were members of processes that are gone."""
        self._presence.sweep()
        if not self._signals.watched_groups():
            return False
        dead = [process for process in processes(connection) if not self._presence.is_alive(process)]
        for process in dead:
            self._on_dead(process)
        return bool(dead)
