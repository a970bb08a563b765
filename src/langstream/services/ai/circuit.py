"""Whether a service is worth asking: one that failed again and again is left alone for a while, then tried by one call.

Only failures of the service count. What it said about one particular question (too long, filtered, refused) does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from langstream.errors import ServiceError

ABOUT_THE_QUESTION: Final = frozenset(("too-long", "content-filtered", "refused", "cancelled"))
LONGEST_PAUSE_SECONDS: Final = 3600.0


class Circuit:
    """Ask `admits` before a call, and tell `succeeded`, `failed` or `abandoned` after it."""

    def __init__(
        self, failures: int = 5, pause_seconds: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures = failures
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._failed = 0
        self._until: float | None = None
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether the service is being left alone."""
        return self._until is not None

    @property
    def until(self) -> float:
        """When it is tried again, by the clock."""
        return self._until if self._until is not None else 0.0

    def admits(self) -> bool:
        """Whether to ask. After the pause one call is let through; the others wait for what becomes of it."""
        if self._until is None:
            return True
        if self._probing or self._clock() < self._until:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """It answered."""
        self._failed, self._until, self._probing = 0, None, False

    def failed(self, error: ServiceError) -> None:
        """It did not. A service that says when to come back is left alone until then."""
        if error.category in ABOUT_THE_QUESTION:
            self.succeeded()  # it is there, after all
            return
        self._failed += 1
        asked = error.retry_after_seconds
        if self._probing or self._failed >= self._failures or asked:
            pause = max(self._pause_seconds if not asked else 0.0, min(asked or 0.0, LONGEST_PAUSE_SECONDS))
            self._until = self._clock() + pause
        self._probing = False

    def abandoned(self) -> None:
        """Nobody waited for the end: nothing is known."""
        self._probing = False
