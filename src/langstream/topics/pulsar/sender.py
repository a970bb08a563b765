"""Sends for every producer of the cluster: one client's producer per partition, made when it is first written to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import _pulsar

from langstream.errors import TopicError
from langstream.topics.encoding import Row
from langstream.topics.pulsar.bridge import answer, ignore, outcome
from langstream.topics.pulsar.catalogue import Catalogue, Known
from langstream.topics.pulsar.failures import GONE, name_of, topic_error
from langstream.topics.pulsar.schemas import Form, form_of
from langstream.topics.pulsar.wire import Payload, payloads

SLICE: Final = 200
"""So many messages are handed to the client before others get their turn."""
MOST_RECORDS: Final = 20_000
MOST_BYTES: Final = 64 << 20
CLOSE_SECONDS: Final = 10.0


def partition_of_text(key: str, partitions: int) -> int:
    """The partition that Java clients choose by default, so that they and we keep a key together."""
    units = key.encode("utf-16-be")
    number = 0
    for index in range(0, len(units), 2):
        number = (31 * number + (units[index] << 8 | units[index + 1])) & 0xFFFFFFFF
    return (number & 0x7FFFFFFF) % partitions


class _Sending:
    """Messages of one call on their way. The client's threads report; the event loop waits."""

    __slots__ = ("_loop", "done", "failed", "left", "messages", "result")

    def __init__(self, messages: Sequence[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.done: asyncio.Future[None] = loop.create_future()
        self.messages = messages
        self.left = len(messages)
        self.failed: list[int] = []
        self.result: Any = None

    def report(self, index: int) -> Callable[[Any, Any], None]:
        """The callback for one message."""

        def reported(result: Any, _: Any) -> None:
            if result != _pulsar.Result.Ok:
                self.failed.append(index)
                self.result = result
            self.left -= 1
            if not self.left:
                with suppress(RuntimeError):  # the loop is closed: nobody is interested any more
                    self._loop.call_soon_threadsafe(self._finish)

        return reported

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


_Sendings: TypeAlias = list[tuple[_Sending, list[Payload]]]


class Lane:
    """One partition: the client's producer, in the order of the calls."""

    def __init__(self, make: Callable[[Callable[..., None]], None], doing: str) -> None:
        self._make = make
        self._doing = doing
        self._client: Any = None
        self._opening = asyncio.Lock()

    @property
    def broken(self) -> bool:
        """It was connected, and is not."""
        return self._client is not None and not self._client.is_connected()

    async def open(self) -> None:
        """Make the client's producer. Raises TopicError."""
        async with self._opening:
            if self._client is None:
                self._client = await answer(self._make, self._doing, late=lambda client: client.close_async(ignore))

    async def hand_over(self, messages: Sequence[Any]) -> _Sending:
        """Give all to the client; after `open`. Nobody else of this lane may do so meanwhile."""
        sending = _Sending(messages, asyncio.get_running_loop())
        client = self._client
        for index, message in enumerate(messages):
            client.send_async(message, sending.report(index))
            if index % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        return sending

    async def close(self) -> None:
        """After what is under way, but not for ever."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await outcome(client.close_async)


class Sender:
    """See the module."""

    def __init__(self, catalogue: Catalogue, make: Callable[[str, Form | None, Callable[..., None]], None]) -> None:
        self._catalogue = catalogue
        self._make = make
        self._forms: dict[str, Form | None] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._order: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._room = asyncio.Condition()
        self._records = 0
        self._bytes = 0

    async def send(self, topic: str, rows: Sequence[Row], turn: int) -> None:
        """All of them, acknowledged. Raises TopicError, RecordError for what does not fit the topic's schema."""
        async with self._order[topic]:  # a fair lock: what was sent first is first
            form = await self.form(topic)
            written = payloads(rows if form is None else [form.row(row) for row in rows])
            size = sum(payload.size for payload in written)
            await self._enter(len(written), size)
            try:
                sendings = await self._hand_over(topic, written, turn)
            except BaseException:
                await self._leave(len(written), size)
                raise
        try:
            await self._finish(topic, sendings, turn)
        finally:
            await self._leave(len(written), size)

    async def form(self, topic: str) -> Form | None:
        """The topic's schema, looked up when it is first written to."""
        if topic not in self._forms:
            self._forms[topic] = form_of(await self._catalogue.schema(topic))
        return self._forms[topic]

    def forget(self, topic: str) -> None:
        """The topic is another one now, or gone."""
        self._catalogue.forget(topic)
        self._forms.pop(topic, None)
        for key in [key for key in self._lanes if key[0] == topic]:
            lane = self._lanes.pop(key)
            task = asyncio.ensure_future(lane.close())
            task.add_done_callback(ignore)

    async def close(self) -> None:
        """Everything that is open."""
        lanes = list(self._lanes.values())
        self._lanes.clear()
        await asyncio.gather(*(lane.close() for lane in lanes))

    # --- parts ------------------------------------------------------------------------------------------------------

    async def _finish(self, topic: str, sendings: _Sendings, turn: int) -> None:
        """Wait for the acknowledgements. A topic that was made anew meanwhile is written to once more."""
        result = await _failure(sendings)
        if result is None:
            return
        self.forget(topic)
        if name_of(result) in GONE:
            left = [part[index] for sending, part in sendings for index in sorted(sending.failed)]
            async with self._order[topic]:
                await self.form(topic)
                again = await self._hand_over(topic, left, turn)
            result = await _failure(again)
            if result is None:
                return
            self.forget(topic)
        if await self._catalogue.look_up(topic) is None:
            raise await self._catalogue.missing(topic)
        raise topic_error(result, f"writing to topic {topic}")

    async def _hand_over(self, topic: str, payloads: Sequence[Payload], turn: int) -> _Sendings:
        known = await self._current(topic)
        divided: dict[int, list[Payload]] = {}
        for payload in payloads:
            number = partition_of_text(payload.key, known.partitions) if payload.key else turn % known.partitions
            divided.setdefault(number, []).append(payload)
        lanes = {number: self._lane(known, number) for number in divided}
        try:
            await asyncio.gather(*(lane.open() for lane in lanes.values()))
        except TopicError:
            self.forget(topic)
            raise
        return [
            (await lanes[number].hand_over([payload.message for payload in part]), part)
            for number, part in divided.items()
        ]

    async def _current(self, topic: str) -> Known:
        """The topic; looked up anew where a connection is gone, since that may be why."""
        if any(lane.broken for (name, _), lane in self._lanes.items() if name == topic):
            self._catalogue.forget(topic)
            known = await self._catalogue.topic(topic)
            if any(name == topic and part not in _parts(known) for name, part in self._lanes):
                self.forget(topic)
        return await self._catalogue.topic(topic)

    def _lane(self, known: Known, number: int) -> Lane:
        part = known.part(number)
        key = (known.name, part)
        lane = self._lanes.get(key)
        if lane is None:
            full = self._catalogue.namespace.full(part)
            form = self._forms.get(known.name)
            lane = self._lanes[key] = Lane(lambda made: self._make(full, form, made), f"writing to topic {known.name}")
        return lane

    async def _enter(self, records: int, size: int) -> None:
        """Wait while so much is under way that memory would grow with it."""
        async with self._room:
            await self._room.wait_for(
                lambda: not self._records or (self._records < MOST_RECORDS and self._bytes < MOST_BYTES)
            )
            self._records += records
            self._bytes += size

    async def _leave(self, records: int, size: int) -> None:
        async with self._room:
            self._records -= records
            self._bytes -= size
            self._room.notify_all()


async def _failure(sendings: _Sendings) -> Any:
    """Once all are answered: what the client says of those that failed; None if none did."""
    await asyncio.shield(asyncio.gather(*(sending.done for sending, _ in sendings)))
    return next((sending.result for sending, _ in sendings if sending.failed), None)


def _parts(known: Known) -> set[str]:
    return {known.part(number) for number in range(known.partitions)}
