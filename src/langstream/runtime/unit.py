"""What is under way in a node: units of source records, the order they were read in, and records inside stages.

A `Unit` is one source record with everything that became of it, or a whole run of source records as long as nothing
special happens to any of them. A `Tracker` keeps the units of one partition (or of a source agent) in the order in
which they were read: only the finished prefix may be committed. Identity, never equality, ties results to their
source, so equal records cannot be confused.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from langstream.records import Record, SimpleRecord, dump_json, key_bytes
from langstream.sdk.contract import Place
from langstream.topics.contract import TopicPartition

Outputs = list[tuple[str, list[SimpleRecord]]]
"""Topics and the records for them, in order."""


class Tracker:
    """The units of one partition, or of a source agent (`partition` is None), as they were read."""

    __slots__ = ("dropped", "partition", "size", "units")

    def __init__(self, partition: TopicPartition | None) -> None:
        self.partition = partition
        self.units: deque[Unit] = deque()
        self.size = 0
        """Source records not committed yet."""
        self.dropped = False
        """The partition belongs to somebody else now: nothing of this may be written any more."""

    def add(self, unit: Unit) -> None:
        """A unit that was just read."""
        self.units.append(unit)
        self.size += len(unit.sources)

    def take_finished(self) -> list[Unit]:
        """Remove and return the finished prefix."""
        finished = []
        units = self.units
        while units and units[0].pending == 0:
            finished.append(units.popleft())
        return finished

    def put_back(self, units: Sequence[Unit]) -> None:
        """Return what `take_finished` gave: it could not be delivered."""
        self.units.extendleft(reversed(units))


class Unit:
    """One source record (or a run of them) and what it led to.

    `pending` counts what has still to happen; `outputs` waits for the transaction in which the unit is committed. An
    abandoned unit failed for good: none of its results go on.
    """

    __slots__ = (
        "abandoned",
        "anew",
        "attempts",
        "cancelled",
        "lane",
        "life",
        "next_offset",
        "outputs",
        "parked",
        "pending",
        "sources",
        "trace",
        "tracker",
    )

    def __init__(self, tracker: Tracker, sources: Sequence[Record], next_offset: int) -> None:
        self.tracker = tracker
        self.sources = sources
        self.next_offset = next_offset
        self.pending = 1
        self.outputs: Outputs = []
        self.abandoned = False
        self.cancelled = False
        """Abandoned without a failure: nobody waits for it."""
        self.trace: Trace | None = None
        self.life = 0
        """How often the record was sent through the node from the beginning; results of earlier lives do not count."""
        self.attempts = 0
        """Failed lives."""
        self.anew = False
        """The last attempt failed, and not because something was away: what agents remember of it may be to blame."""
        self.lane: bytes | None = None
        """The key whose later records wait for this one to have passed the node."""
        self.parked: list[Item] = []
        """Results that wait for their siblings before they go to a sink."""

    @property
    def offset(self) -> int:
        """The offset of a unit of one record."""
        return self.next_offset - 1

    @property
    def dead(self) -> bool:
        """Whether further work on it would be thrown away."""
        return self.abandoned or self.tracker.dropped

    def abandon(self) -> None:
        """None of its results go on."""
        self.abandoned = True
        self.outputs.clear()

    def cancel(self) -> None:
        """The same, without a failure."""
        self.cancelled = True
        self.abandon()


class Batch:
    """Records read in one go from one partition or source; `offsets` is empty for sources.

    `originals` are the objects that were read, `records` the same as the stages want them.
    """

    __slots__ = ("offsets", "originals", "records", "tracker")

    def __init__(
        self,
        tracker: Tracker,
        records: Sequence[SimpleRecord],
        offsets: Sequence[int] = (),
        originals: Sequence[Record] | None = None,
    ) -> None:
        self.tracker = tracker
        self.records = records
        self.offsets = offsets
        self.originals: Sequence[Record] = records if originals is None else originals

    def slices(self, size: int) -> Iterator[Batch]:
        """The same in pieces."""
        if len(self.records) <= size:
            yield self
            return
        for start in range(0, len(self.records), size):
            piece = slice(start, start + size)
            originals = self.records[piece] if self.originals is self.records else self.originals[piece]
            yield Batch(self.tracker, self.records[piece], self.offsets[piece], originals)

    def unit(self) -> Unit:
        """All of it as one unit."""
        return Unit(self.tracker, self.originals, self.offsets[-1] + 1 if self.offsets else 0)

    def units(self) -> list[Unit]:
        """One unit per record."""
        offsets: Iterable[int] = self.offsets or range(len(self.originals))
        return [
            Unit(self.tracker, (original,), offset + 1)
            for original, offset in zip(self.originals, offsets, strict=True)
        ]


class Trace:
    """How a run of records became its outputs: enough to find the source of each, should one turn out bad."""

    __slots__ = ("batch", "outcomes")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.outcomes: list[Sequence[Any]] = []
        """Of every stage passed, one outcome per record that entered it."""


class Item:
    """A record inside a stage."""

    __slots__ = ("alone", "attempts", "finished", "key", "life", "path", "record", "results", "sequence", "unit")

    def __init__(self, unit: Unit, record: SimpleRecord, path: tuple[int, ...] = ()) -> None:
        self.unit = unit
        self.life = unit.life
        self.record = record
        self.path = path
        """Which of the results of earlier stages it is."""
        self.key = identity(record)
        self.sequence = 0
        self.attempts = 0
        self.alone = False
        """To be handed in by itself: a batch with it failed as a whole."""
        self.finished = False
        self.results: Sequence[SimpleRecord] = ()

    @property
    def place(self) -> Place:
        """Where the source record stands in its topic, or what it holds if it came from a source agent."""
        partition = self.unit.tracker.partition
        if partition is None:
            return Place("", 0, 0, self.path, self.unit.anew, content_digest(self.unit.sources[0]))
        return Place(partition.topic, partition.partition, self.unit.offset, self.path, self.unit.anew)

    @property
    def dead(self) -> bool:
        """Whether further work on it would be thrown away."""
        return self.unit.dead or self.life != self.unit.life


def identity(record: SimpleRecord) -> bytes | None:
    """What equal keys have in common; None for records without a key."""
    key = record.key()
    if key is None:
        return None
    try:
        return key_bytes(key)
    except (TypeError, ValueError):  # not a key any topic would take: it is found out when it is sent
        return repr(key).encode("utf-8", "replace")


def content_digest(record: Record) -> bytes:
    """What stands for a record that has no place in a topic."""
    content = [record.value(), record.key(), record.headers(), record.timestamp()]
    try:
        text = dump_json(content)
    except (TypeError, ValueError):  # nothing that any topic would take: it is found out when it is sent
        text = repr(content).encode("utf-8", "replace")
    return hashlib.blake2b(text, digest_size=16).digest()


def plain(record: Record) -> SimpleRecord:
    """The record as stages and producers want it."""
    if isinstance(record, SimpleRecord):
        return record
    return SimpleRecord(record.value(), record.key(), record.headers(), record.origin(), record.timestamp())
