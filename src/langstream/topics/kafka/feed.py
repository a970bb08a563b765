"""The thread that reads for a consumer or a reader: it waits for the client, and hands batches to the event loop.

It always polls, however slow the records are, so that the broker never takes partitions away for slowness. While what
it handed over is not taken, it first just waits, then pauses the partitions: memory does not grow with the backlog.

The client serves one thread at a time, so whatever else is wanted of it (a commit) is done here too, between polls.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from langstream.errors import BrokerUnavailable

POLL_SECONDS: Final = 0.1
"""How long the idle thread takes to notice that something is wanted of it."""
BUSY_POLL_SECONDS: Final = 0.003
BUSY_SECONDS: Final = 1.0
"""So long after records or calls it looks more often, since commits are likely."""
BATCH: Final = 1_000
MOST_MESSAGES: Final = 4_000
MOST_BYTES: Final = 32 << 20
PATIENCE_SECONDS: Final = 0.5
"""So long the thread waits for room before it pauses, which throws away what the client fetched ahead."""
CONNECT_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 15.0

_T = TypeVar("_T")
_Call: TypeAlias = tuple[Callable[[Consumer], Any], "asyncio.Future[Any]"]
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
        self._calls: deque[_Call] = deque()
        self._busy_until = 0.0
        self.given_up = False
        self.stopping = False

    async def start(self) -> None:
        """Make the client. Raises KafkaException or ApplicationRefused for properties it does not take."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()
        await self._made.wait()
        if self._failure is not None:
            raise self._failure

    async def call(self, work: Callable[[Consumer], _T]) -> _T:
        """The result of work with the client, done in the thread. Raises BrokerUnavailable once it is closing."""
        answer: asyncio.Future[_T] = self._loop.create_future()
        with self._room:
            if self.stopping:
                raise BrokerUnavailable(f"{self._name} is closed")
            self._calls.append((work, answer))
            self._room.notify_all()
        return await answer

    @property
    def waiting(self) -> int:
        """Messages handed over and not used up."""
        return self._messages

    def taken(self, messages: int, size: int) -> None:
        """So much of what was delivered is used up."""
        with self._room:
            full = self._full()
            self._messages -= messages
            self._bytes -= size
            if full and not self._full():
                self._room.notify_all()

    async def stop(self) -> None:
        """Close the client: a member leaves its group."""
        with self._room:
            self.stopping = True
            self._room.notify_all()
        if self._thread is not None and not self.given_up:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._ended.wait()
            except TimeoutError:
                _log.warning("%s: the brokers do not answer, so it is left behind", self._name)

    def give_up(self) -> None:
        """The thread hangs in a call: `stop` does not wait for it. Should it come back, it closes the client."""
        self.given_up = True

    def wait_for(self, client: Consumer, work: Coroutine[Any, Any, None], seconds: float) -> bool:
        """In the thread: have the event loop do the work, which may need calls. False if it was not done in time."""
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # the loop is closed: nobody is interested any more
            work.close()
            return False
        future.add_done_callback(self._notify)
        deadline = time.monotonic() + seconds
        while not future.done() and (remaining := deadline - time.monotonic()) > 0:
            with self._room:
                if not self._calls and not future.done():
                    self._room.wait(remaining)
            self.answer(client)
        return future.done() or not future.cancel()

    def tell(self, call: Callable[..., None], *arguments: Any) -> None:
        """In the thread: have it called on the event loop."""
        with suppress(RuntimeError):  # the loop is closed: nobody is interested any more
            self._loop.call_soon_threadsafe(call, *arguments)

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            client = self._make()
            connect(client)
        except BaseException as error:
            self._failure = error
            self.tell(self._made.set)
            self.tell(self._ended.set)
            return
        self.tell(self._made.set)
        try:
            self._owner.prepare(client)
            while not self.stopping:
                self._turn(client)
        except BaseException as error:
            self.tell(self._owner.broken, error)
        finally:
            with self._room:
                self.stopping = True
            self.answer(client)
            try:
                client.close()
            except Exception:
                _log.exception("%s: closing failed", self._name)
            self.tell(self._ended.set)

    def _turn(self, client: Consumer) -> None:
        self.answer(client)
        with self._room:
            if self._full() and not (self._paused or self._calls or self.stopping):
                self._room.wait(PATIENCE_SECONDS)
                if self._calls:
                    return
            full = self._full()
        self._pause(client, full)
        message = client.poll(BUSY_POLL_SECONDS if time.monotonic() < self._busy_until else POLL_SECONDS)
        if message is None:
            return
        messages = [message] if full else [message, *client.consume(BATCH, 0)]
        with self._room:
            self._messages += len(messages)
            self._bytes += sum(map(len, messages))
        self.tell(self._owner.deliver, messages)
        self._busy_until = time.monotonic() + BUSY_SECONDS

    def answer(self, client: Consumer) -> None:
        """In the thread: do what is wanted of the client."""
        while self._calls:
            work, answer = self._calls.popleft()
            self._busy_until = time.monotonic() + BUSY_SECONDS
            try:
                result = work(client)
            except Exception as error:
                self.tell(_fail, answer, error)
            else:
                self.tell(_succeed, answer, result)

    def _notify(self, _: object) -> None:
        with self._room:
            self._room.notify_all()

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


def _succeed(answer: asyncio.Future[Any], result: Any) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def connect(client: Consumer | Producer) -> None:
    """In a thread: have the client meet a broker, without whom its first request would wait for half a second.

    Twice, since it parts with the broker it was told of when it learns of the others.
    """
    with suppress(KafkaException):  # it goes on trying by itself
        client.list_topics("__consumer_offsets", CONNECT_SECONDS)
        client.list_topics("__consumer_offsets", CONNECT_SECONDS)


def partition_ended(message: Message) -> bool:
    """Whether this is no message, but the news that the partition has no more."""
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF
