"""Noticing records that the broker has for a group whose members share partitions, and sends to nobody.

Brokers (4.0.7) sometimes come to this when the last member of a group leaves while they read again what another has
left, and the next one joins at that moment: they mean to begin anew, but only when the next record is written. When all
members let go of the partition and take it up again, brokers begin anew at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LOOKS: Final = 5
SECONDS: Final = 3.0
"""So many looks in a row, and so long, must show the same."""
FIRST_PAUSE: Final = 10.0
LONGEST_PAUSE: Final = 600.0
"""Until the next attempt. It doubles, since something else may hold the records: an open transaction, for instance."""
AWAY: Final = 10.0
"""Members wait so long for the others to let go too."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look showed of a group and a partition."""

    members: int
    waiting: int
    """Entries that were sent to nobody, those aside that are to come later."""
    sent: int
    """Records sent so far."""
    idle: bool
    """All members have room, and none has anything unacknowledged, so no key is held back."""


def sight(subscription: Mapping[str, Any]) -> Sight:
    """From the statistics of the broker; an empty mapping, if there is no subscription."""
    members = subscription.get("consumers") or ()
    unacknowledged = _count(subscription, "unackedMessages")
    waiting = _count(subscription, "msgBacklog") - unacknowledged - _count(subscription, "msgDelayed")
    idle = unacknowledged == 0 and all(
        _count(each, "availablePermits") > 0 and _count(each, "unackedMessages") == 0 for each in members
    )
    return Sight(len(members), max(0, waiting), _count(subscription, "msgOutCounter"), idle)


class Watch:
    """Decides for one partition when to let go of it, and when to take it up again."""

    def __init__(self) -> None:
        self._sent = -1
        self._looks = 0
        self._since = 0.0
        self._pause = FIRST_PAUSE
        self._not_before = 0.0
        self._left = 0.0

    def busy(self) -> None:
        """This member has records: nothing to decide."""
        self._looks = 0

    def stalled(self, seen: Sight, now: float) -> bool:
        """Whether to let go: records wait, everybody could take them, and look after look nothing was sent."""
        if seen.waiting == 0:
            self._pause = FIRST_PAUSE
            self._not_before = now
        if seen.waiting == 0 or not seen.idle or seen.sent != self._sent:
            self._looks = 0
            self._sent = seen.sent
            return False
        if self._looks == 0:
            self._since = now
        self._looks += 1
        return self._looks >= LOOKS and now - self._since >= SECONDS and now >= self._not_before

    def tried(self, now: float) -> None:
        """The partition was let go of."""
        self._looks = 0
        self._left = now
        self._not_before = now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def over(self, seen: Sight, now: float) -> bool:
        """Whether to take the partition up: everybody has let go, or there is no more need to, or somebody does not."""
        moved = seen.waiting == 0 or not seen.idle or seen.sent != self._sent
        return seen.members == 0 or moved or now - self._left >= AWAY


def _count(stats: Mapping[str, Any], name: str) -> int:
    return int(stats.get(name) or 0)
