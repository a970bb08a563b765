"""A partition that a member owns: its consumer, what was read ahead, and what was handed out and not committed yet."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from langstream.topics.contract import Fetched
from langstream.topics.local.buffer import Buffer
from langstream.topics.local.log import Run
from langstream.topics.pulsar.bridge import ignore, outcome
from langstream.topics.pulsar.position import entry_of
from langstream.topics.pulsar.pump import MOST_RECORDS, Pump
from langstream.topics.pulsar.schemas import Versions
from langstream.topics.pulsar.wire import Arrived

_NOTHING: Final = -1


class Stream:
    """Messages of one partition on their way from the client's consumer or reader to those who poll."""

    def __init__(
        self, topic: str, partition: int, start: int, wake: Callable[[], None], broken: Callable[[Exception], None]
    ) -> None:
        self.buffer = Buffer(topic, partition, start)
        self.waiting = 0
        """Records read ahead."""
        self.entry: tuple[int, int] | None = None
        """The last that arrived."""
        self.failed = False
        self._wake = wake
        self._broken = broken
        self._sizes: deque[int] = deque()
        self._ids: deque[tuple[int, Any]] = deque()
        self._client: Any = None
        self._pump: Pump | None = None

    def open(
        self,
        client: Any,
        receive: Callable[[int], Any],
        versions: Versions,
        name: str,
        most_records: int = MOST_RECORDS,
    ) -> None:
        """Begin to receive, at most so many records before others are taken."""
        self._client = client
        self._pump = Pump(receive, versions, self.arrive, self._fail, name, most_records)
        self._pump.start()

    def _fail(self, error: Exception) -> None:
        """The thread ended."""
        self.failed = True
        self._broken(error)

    @property
    def client(self) -> Any:
        """The client's consumer or reader."""
        return self._client

    def arrive(self, batch: Arrived) -> None:
        """Append. After a reconnection the broker repeats what was not acknowledged; we have that already."""
        new = self._new(batch)
        repeated = len(batch.offsets) - len(new.offsets)
        if repeated and self._pump is not None:
            self._pump.taken(repeated, sum(batch.sizes) - sum(new.sizes))
        if not new.offsets:
            return
        self.buffer.add(_growing(new))
        self.waiting += len(new.offsets)
        self._sizes.extend(new.sizes)
        self._ids.extend(zip(new.offsets, new.ids, strict=True))
        self.entry = entry_of(new.offsets[-1])
        self._wake()

    def _new(self, batch: Arrived) -> Arrived:
        """Of a batch in order, what comes after the last that arrived."""
        start = bisect_left(batch.offsets, self.buffer.position)
        return batch.pick(range(start, len(batch.offsets))) if start else batch

    def take(self, max_records: int) -> list[Fetched]:
        """The next records, at most so many; there is room for more then."""
        fetched = self.buffer.take(max_records)
        count = sum(len(run.offsets) for run in fetched)
        if count and self._pump is not None:
            size = sum(self._sizes.popleft() for _ in range(count))
            self.waiting -= count
            self._pump.taken(count, size)
        return fetched

    async def close(self) -> Any:
        """Let go of the client's consumer, which sends the acknowledgements it still holds. The client's result."""
        if self._pump is not None:
            self._pump.stop()
        client = self._client
        return None if client is None else (await outcome(client.close_async))[0]

    def abandon(self) -> None:
        """As `close`, without waiting."""
        if self._pump is not None:
            self._pump.stop()
        if self._client is not None:
            self._client.close_async(ignore)

    def release(self, offset: int) -> Any:
        """Forget everything before the offset; the id of the last of it, None if there is nothing."""
        last = None
        while self._ids and self._ids[0][0] < offset:
            last = self._ids.popleft()[1]
        return last

    @property
    def unreleased(self) -> int:
        """Records that arrived and were not released."""
        return len(self._ids)


def _growing(batch: Arrived) -> list[Run]:
    """The batch in runs whose offsets grow: what is delivered again may lie before what came already."""
    offsets = batch.offsets
    starts = [0, *(index for index in range(1, len(offsets)) if offsets[index] <= offsets[index - 1])]
    return [
        Run(offsets[start:stop], batch.rows[start:stop])
        for start, stop in zip(starts, [*starts[1:], len(offsets)], strict=True)
    ]


class Claim(Stream):
    """See the module. `epoch` tells one time of owning a partition from another."""

    def __init__(
        self,
        topic: str,
        partition: int,
        epoch: int,
        wake: Callable[[], None],
        broken: Callable[[Exception], None],
    ) -> None:
        super().__init__(topic, partition, 0, wake, broken)
        self.epoch = epoch
        self.delivered = _NOTHING

    def take(self, max_records: int) -> list[Fetched]:
        """Remembers how far it came."""
        fetched = super().take(max_records)
        if fetched:
            self.delivered = fetched[-1].next_offset
        return fetched
