"""The thread that receives for one partition: it waits for the client, and hands batches to the event loop.

While what it handed over is not taken, it receives nothing more, and the broker sends nothing beyond the client's own
queue: memory does not grow with the backlog.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import _pulsar

from langstream.topics.pulsar.schemas import Versions
from langstream.topics.pulsar.wire import Arrived, arrived

BATCH: Final = 1_000
MOST_RECORDS: Final = 4_000
MOST_BYTES: Final = 16 << 20
WAIT_MS: Final = 5_000
"""Closing the client's consumer ends a wait at once; this is for interpreters that end without closing."""


class Pump:
    """See the module. Used once."""

    def __init__(
        self,
        receive: Callable[[int], Any],
        versions: Versions,
        deliver: Callable[[Arrived], None],
        broken: Callable[[Exception], None],
        name: str,
        most_records: int = MOST_RECORDS,
    ) -> None:
        self._receive = receive
        self._versions = versions
        self._deliver = deliver
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._room = threading.Condition()
        self._most_records = most_records
        self._batch = min(BATCH, most_records)
        self._records = 0
        self._bytes = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def taken(self, records: int, size: int) -> None:
        """So much of what was delivered is used up."""
        with self._room:
            self._records -= records
            self._bytes -= size
            self._room.notify()

    def stop(self) -> None:
        """Deliver nothing more; the thread ends when the client's consumer is closed."""
        with self._room:
            self._stopping = True
            self._room.notify()

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._wait_for_room():
                messages = self._messages()
                if messages:
                    self._hand_over(messages)
        except Exception as error:
            if not self._stopping:
                self._tell(self._broken, error)

    def _wait_for_room(self) -> bool:
        with self._room:
            while not self._stopping and (self._records >= self._most_records or self._bytes >= MOST_BYTES):
                self._room.wait()
            return not self._stopping

    def _messages(self) -> list[Any]:
        try:
            messages = [self._receive(WAIT_MS)]
        except _pulsar.Timeout:
            return []
        size = messages[0].length()
        with suppress(_pulsar.Timeout):  # there is no more at the moment
            while len(messages) < self._batch and size < MOST_BYTES:
                message = self._receive(0)
                messages.append(message)
                size += message.length()
        return messages

    def _hand_over(self, messages: Sequence[Any]) -> None:
        batch = arrived(messages, self._versions)
        with self._room:
            self._records += len(batch.offsets)
            self._bytes += sum(batch.sizes)
        self._tell(self._deliver, batch)

    def _tell(self, call: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is interested any more
            self._loop.call_soon_threadsafe(call, *arguments)
