"""What `init(config, context)` receives: the state directory and a producer for other topics."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from concurrent.futures import Future

from langstream.agents.custom.results import record_of
from langstream.records import Record
from langstream.sdk.agents import RecordType
from langstream.sdk.contract import AgentContext, TopicWriter


class UserTopicProducer:
    """Sends records to topics from any thread, in the order of the calls.

    Records written while others are on their way are sent together: one call of the broker per topic and bunch.
    """

    def __init__(self, topics: TopicWriter) -> None:
        self._topics = topics
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[str, Record, Future[None]]] = deque()
        self._announced = False
        self._sending: asyncio.Task[None] | None = None

    def write(self, topic: str, record: RecordType) -> Future[None]:
        """Send one record; the future is done when the broker has it. Raises RecordError for what is no record."""
        entry = (topic, record_of(record, "the topic producer's caller"), Future[None]())
        self._waiting.append(entry)
        if not self._announced:
            self._announced = True
            try:
                self._loop.call_soon_threadsafe(self._begin)
            except RuntimeError:
                entry[2].set_exception(RuntimeError("the application has stopped: nothing can be sent any more"))
        return entry[2]

    async def awrite(self, topic: str, record: RecordType) -> None:
        """Send one record and wait until the broker has it."""
        await asyncio.wrap_future(self.write(topic, record))

    def _begin(self) -> None:
        self._announced = False
        if self._sending is None or self._sending.done():
            self._sending = self._loop.create_task(self._send_waiting())

    async def _send_waiting(self) -> None:
        while self._waiting:
            topic, records, futures = self._next_bunch()
            error: BaseException | None = None
            try:
                await self._topics.send(topic, records)
            except BaseException as failure:
                error = failure
                if not isinstance(failure, Exception):
                    raise
            finally:
                _settle(futures, error)

    def _next_bunch(self) -> tuple[str, list[Record], list[Future[None]]]:
        topic = self._waiting[0][0]
        records: list[Record] = []
        futures: list[Future[None]] = []
        while self._waiting and self._waiting[0][0] == topic:
            _, record, future = self._waiting.popleft()
            records.append(record)
            futures.append(future)
        return topic, records, futures


def _settle(futures: list[Future[None]], error: BaseException | None) -> None:
    for future in futures:
        with contextlib.suppress(Exception):  # the caller cancelled it
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)


class UserContext:
    """The context of one agent."""

    def __init__(self, context: AgentContext) -> None:
        self._directory = context.state_directory
        self._producer = UserTopicProducer(context.topics) if context.topics is not None else None

    def get_persistent_state_directory(self) -> str | None:
        """The agent's own directory, kept across restarts; None unless `resources.disk.enabled` is true."""
        return str(self._directory) if self._directory is not None else None

    def get_topic_producer(self) -> UserTopicProducer:
        """A producer for topics other than the agent's output."""
        if self._producer is None:
            raise RuntimeError("this agent runs without topics: nothing can be sent")
        return self._producer
