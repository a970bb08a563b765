"""Messages of one client waiting for the broker: a bounded buffer that is emptied at once."""

from __future__ import annotations

import asyncio
from typing import Final

WAITING_MESSAGES: Final = 256


class Intake:
    """`put` waits while the buffer is full; `take` gives everything there is, in order."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._messages: list[str | bytes] = []
        self._bytes = 0
        self._ended = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def put(self, message: str | bytes) -> None:
        """Add a message when there is room; one message always fits into an empty buffer."""
        size = len(message)
        while self._messages and (len(self._messages) >= WAITING_MESSAGES or self._bytes + size > self._max_bytes):
            self._emptied.clear()
            await self._emptied.wait()
        self._messages.append(message)
        self._bytes += size
        self._filled.set()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._filled.set()

    async def take(self) -> list[str | bytes]:
        """All waiting messages, at least one; empty when there will be none."""
        while not self._messages and not self._ended:
            self._filled.clear()
            await self._filled.wait()
        messages, self._messages = self._messages, []
        self._bytes = 0
        self._emptied.set()
        return messages
