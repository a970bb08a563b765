"""The thread that reads for a consumer or a reader: it waits for the client, and hands batches to the event loop.

It always polls, however slow the records are, so that the broker never takes partitions away for slowness. While what
it handed over is not taken, it first just waits, then pauses the partitions: memory does not grow with the backlog.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

POLL_SECONDS: Final = 0.1
"""How long the thread takes to notice that it shall stop, or that there is room again."""
BATCH: Final = 1_000
MOST_MESSAGES: Final = 4_000
MOST_BYTES: Final = 32 << 20
PATIENCE_SECONDS: Final = 0.5
"""So long the thread waits for room before it pauses, which throws away what the client fetched ahead."""

_log = logging.getLogger(__name__)


class FeedOwner(Protocol):
    """Whom the thread works for; everything but `prepare` is called on the event loop."""

    def prepare(self, client: Consumer) -> None:
        """Subscribe or assign. Called in the thread."""

    def deliver(self, messages: list[Message]) -> None:
        """Messages in order, ends of partitions and errors among them."""

    def broken(self, error: BaseException) -> None:
        """The thread ended."""


class Feed:
    """See the module. Used once."""

    def __init__(self, owner: FeedOwner, make: Callable[[], Consumer], name: str) -> None:
        self._owner = owner
        self._make = make
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._room = threading.Condition()
        self._messages = 0
        self._bytes = 0
        self._paused = False
        self._ended = asyncio.Event()
        self._made = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.stopping = False
        self.client: Consumer | None = None

    async def start(self) -> Consumer:
        """Make the client. Raises KafkaException for properties it does not take."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()
        await self._made.wait()
        if self.client is None:
            assert self._failure is not None
            raise self._failure
        return self.client

    def taken(self, messages: int, size: int) -> None:
        """So much of what was delivered is used up."""
        with self._room:
            full = self._full()
            self._messages -= messages
            self._bytes -= size
            if full and not self._full():
                self._room.notify()

    async def stop(self) -> None:
        """Close the client: a member leaves its group."""
        self.stopping = True
        with self._room:
            self._room.notify()
        if self._thread is not None:
            await self._ended.wait()
            self._thread.join(1.0)

    def wait_for(self, work: Coroutine[Any, Any, None], seconds: float) -> bool:
        """In the thread: do the work on the event loop and wait for it. False if it was not done in time."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            future.result(seconds)
        except TimeoutError:
            future.cancel()
            return False
        return True

    def tell(self, call: Callable[..., None], *arguments: Any) -> None:
        """In the thread: have it called on the event loop."""
        with suppress(RuntimeError):  # the loop is closed: nobody is interested any more
            self._loop.call_soon_threadsafe(call, *arguments)

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            client = self._make()
        except BaseException as error:
            self._failure = error
            self.tell(self._made.set)
            self.tell(self._ended.set)
            return
        self.client = client
        self.tell(self._made.set)
        try:
            self._owner.prepare(client)
            while not self.stopping:
                self._turn(client)
        except BaseException as error:
            self.tell(self._owner.broken, error)
        finally:
            self.stopping = True
            try:
                client.close()
            except Exception:
                _log.exception("%s: closing failed", self._name)
            self.tell(self._ended.set)

    def _turn(self, client: Consumer) -> None:
        with self._room:
            if self._full() and not self._paused and not self.stopping:
                self._room.wait(PATIENCE_SECONDS)
            full = self._full()
        self._pause(client, full)
        message = client.poll(POLL_SECONDS)
        if message is None:
            return
        messages = [message] if full else [message, *client.consume(BATCH, 0)]
        with self._room:
            self._messages += len(messages)
            self._bytes += sum(map(len, messages))
        self.tell(self._owner.deliver, messages)

    def _full(self) -> bool:
        return self._messages >= MOST_MESSAGES or self._bytes >= MOST_BYTES

    def _pause(self, client: Consumer, full: bool) -> None:
        """Partitions may have come since the last time, so those are paused too."""
        if not full and not self._paused:
            return
        assigned = client.assignment()
        try:
            if full:
                client.pause(assigned)
            else:
                client.resume(assigned)
        except KafkaException as error:  # a partition went away this moment
            _log.debug("%s: %s", self._name, error)
        self._paused = full


def partition_ended(message: Message) -> bool:
    """Whether this is no message, but the news that the partition has no more."""
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


__all__ = ["BATCH", "Feed", "FeedOwner", "TopicPartition", "partition_ended"]
