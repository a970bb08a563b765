"""The log of the `memory` broker: lists. It is as exact as a durable log, and gone with the process.

Compaction leaves gaps, so every partition keeps the offsets of its rows beside them. Nothing here ever waits, so
every call is atomic on the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from langstream.topics.contract import Capabilities, TopicDescription, TopicPartition, TopicSpec
from langstream.topics.local.assignment import next_move
from langstream.topics.local.log import (
    Append,
    Bounds,
    Claim,
    Commit,
    GroupPosition,
    Note,
    Run,
    Share,
    Topic,
    TopicGone,
    check_offset,
    fenced,
    not_found,
    superseded,
)
from langstream.topics.local.signals import Signals
from langstream.topics.memory.retention import Partition, clean
from langstream.topics.settings import check_same, check_spec, cleanup

PERIOD_SECONDS: Final = 10.0
"""Between two rounds of retention and compaction."""


@dataclass(slots=True)
class _Topic:
    topic: Topic
    config: Mapping[str, str]


@dataclass(slots=True)
class _Ownership:
    """One partition as one group sees it."""

    committed: int = 0
    epoch: int = 0
    member: str | None = None


@dataclass(slots=True)
class _Group:
    members: list[str] = field(default_factory=list)
    partitions: dict[int, _Ownership] = field(default_factory=dict)


class MemoryLog:
    """See `Log`."""

    capabilities = Capabilities(transactions=True, durable=False, shared=False)

    def __init__(self) -> None:
        self.signals = Signals()
        self._topics: dict[str, _Topic] = {}
        self._partitions: dict[int, Partition] = {}
        self._places: dict[int, tuple[Topic, int]] = {}
        self._groups: dict[tuple[int, str], _Group] = {}
        self._notes: dict[str, tuple[int, str | None]] = {}
        self._ids = 0
        self._cleaning: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the clean-up."""
        self._cleaning = asyncio.create_task(self._maintain_for_ever(), name="clean-up of topics in memory")

    async def close(self) -> None:
        """Stop the clean-up."""
        cleaning, self._cleaning = self._cleaning, None
        if cleaning:
            cleaning.cancel()
            with suppress(asyncio.CancelledError):
                await cleaning

    # --- topics -----------------------------------------------------------------------------------------------------

    async def create(self, spec: TopicSpec) -> bool:
        """Create, or check."""
        partitions, config = check_spec(spec)
        existing = self._topics.get(spec.name)
        if existing:
            check_same(spec, len(existing.topic.partitions), existing.config)
            return False
        first = self._ids + 1
        self._ids += 1 + partitions
        topic = Topic(first, spec.name, tuple(range(first + 1, first + 1 + partitions)))
        self._topics[spec.name] = _Topic(topic, config)
        for number, partition in enumerate(topic.partitions):
            self._partitions[partition] = Partition()
            self._places[partition] = (topic, number)
        return True

    async def delete(self, name: str) -> bool:
        """Forget rows and groups, and tell those who read."""
        found = self._topics.pop(name, None)
        if found is None:
            return False
        for partition in found.topic.partitions:
            del self._partitions[partition], self._places[partition]
        for key in [key for key in self._groups if key[0] == found.topic.id]:
            del self._groups[key]
        self.signals.records_changed([found.topic.id])
        self.signals.groups_changed([found.topic.id])
        return True

    async def describe(self, name: str | None) -> Sequence[TopicDescription]:
        """Sizes are counted on demand."""
        names = sorted(self._topics) if name is None else [name] if name in self._topics else []
        return [self._description(self._topics[found]) for found in names]

    def _description(self, topic: _Topic) -> TopicDescription:
        partitions = [self._partitions[partition] for partition in topic.topic.partitions]
        return TopicDescription(
            topic.topic.name,
            len(partitions),
            dict(topic.config),
            sum(len(partition.rows) for partition in partitions),
            sum(partition.size() for partition in partitions),
        )

    async def topic(self, name: str) -> Topic:
        """Look it up."""
        found = self._topics.get(name)
        if found is None:
            raise not_found(name, self._topics)
        return found.topic

    def forget(self, name: str) -> None:
        """Nothing is remembered."""

    # --- rows -------------------------------------------------------------------------------------------------------

    async def write(self, appends: Sequence[Append], commits: Sequence[Commit], note: Note | None = None) -> None:
        """Check everything, then do everything."""
        for append in appends:
            self._partition(append.partition)
        for commit in commits:
            self._check(commit)
        if note is not None:
            if self._notes[note.publisher][0] != note.epoch:
                raise superseded(note.publisher)
            self._notes[note.publisher] = note.epoch, note.batch
        for append in appends:
            self._partitions[append.partition].append(list(append.rows))
        for commit in commits:
            self._ownership(commit.group, commit.partition).committed = commit.offset
        self.signals.records_changed({self._places[append.partition][0].id for append in appends})

    async def take_over(self, publisher: str) -> tuple[int, str | None]:
        """Count the epoch up."""
        epoch, batch = self._notes.get(publisher, (0, None))
        self._notes[publisher] = epoch + 1, batch
        return epoch + 1, batch

    async def read(self, partition: int, offset: int, max_records: int) -> Sequence[Run]:
        """One slice."""
        log = self._partition(partition)
        if offset >= log.next:
            return ()
        start = log.index(offset)
        rows = log.rows[start : start + max_records]
        return [Run(log.offsets[start : start + max_records], rows)] if rows else ()

    async def bounds(self, partitions: Sequence[int]) -> Mapping[int, Bounds]:
        """First and next."""
        return {
            partition: Bounds(self._partition(partition).first(), self._partition(partition).next)
            for partition in partitions
        }

    def _partition(self, partition: int) -> Partition:
        found = self._partitions.get(partition)
        if found is None:
            raise TopicGone("the topic was deleted")
        return found

    # --- groups -----------------------------------------------------------------------------------------------------

    async def balance(self, topic: Topic, group: str, member: str) -> Share:
        """Join, claim, tell."""
        self._partition(topic.partitions[0])
        state = self._groups.setdefault((topic.id, group), _Group())
        joined = member not in state.members
        if joined:
            state.members.append(member)
        owned = {partition: state.partitions.setdefault(partition, _Ownership()) for partition in topic.partitions}
        owners = {partition: own.member for partition, own in owned.items() if own.member is not None}
        move = next_move(member, state.members, topic.partitions, owners)
        for partition in move.claim:
            owned[partition].member = member
            owned[partition].epoch += 1
        if joined or move.claim:
            self.signals.groups_changed([topic.id])
        held = {partition: Claim(own.epoch, own.committed) for partition, own in owned.items() if own.member == member}
        return Share(held, frozenset(move.give_up))

    async def release(self, topic: Topic, group: str, member: str, partitions: Sequence[int]) -> None:
        """Free these."""
        state = self._groups.get((topic.id, group))
        for partition, own in state.partitions.items() if state else ():
            if own.member == member and partition in partitions:
                own.member = None
        self.signals.groups_changed([topic.id])

    async def leave(self, topic: Topic, group: str, member: str) -> None:
        """Free all and go."""
        state = self._groups.get((topic.id, group))
        if state and member in state.members:
            state.members.remove(member)
            await self.release(topic, group, member, topic.partitions)

    async def positions(self, topic: Topic) -> Sequence[GroupPosition]:
        """By group and partition."""
        return [
            self._position(group, partition, own)
            for (topic_id, group), state in sorted(self._groups.items())
            if topic_id == topic.id
            for partition, own in sorted(state.partitions.items())
        ]

    def _position(self, group: str, partition: int, own: _Ownership) -> GroupPosition:
        topic, number = self._places[partition]
        log = self._partitions[partition]
        lag = log.next - max(own.committed, log.first())
        return GroupPosition(group, TopicPartition(topic.name, number), own.committed, lag, own.member)

    def _ownership(self, group: str, partition: int) -> _Ownership:
        return self._groups[self._places[partition][0].id, group].partitions[partition]

    def _check(self, commit: Commit) -> None:
        end = self._partition(commit.partition).next
        own = self._ownership(commit.group, commit.partition)
        if (own.member, own.epoch) != (commit.member, commit.epoch):
            raise fenced(commit.group)
        check_offset(commit, end)

    # --- clean-up ---------------------------------------------------------------------------------------------------

    async def maintain(self) -> None:
        """One round."""
        now = time.time_ns() // 1_000_000
        for topic in self._topics.values():
            rules = cleanup(topic.topic.name, topic.config)
            for partition in topic.topic.partitions:
                clean(self._partitions[partition], rules, now)

    async def _maintain_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            await self.maintain()
