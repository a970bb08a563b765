"""What a local broker has to keep: partitions of rows, and who of a group reads which.

A `Log` is the storage behind the shared consumer, producer and reader. It knows partitions by number (ids that are
never used again, so that a topic deleted and created anew is another one) and consumer groups by their claims. A
claim carries an epoch: whoever lost a partition cannot commit to it, even after getting it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from langstream.configuration.validation import did_you_mean
from langstream.errors import Fenced, TopicError, TopicNotFound
from langstream.topics.contract import Capabilities, TopicDescription, TopicPartition, TopicSpec
from langstream.topics.encoding import Row
from langstream.topics.local.signals import Signals


class TopicGone(TopicError):
    """A partition that was looked up before exists no longer: its topic was deleted (and perhaps created anew)."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the log knows it; `partitions[i]` is the id of partition i."""

    id: int
    name: str
    partitions: tuple[int, ...]


class Append(NamedTuple):
    """Rows for one partition."""

    partition: int
    rows: Sequence[Row]


class Commit(NamedTuple):
    """The next offset to read of a claimed partition."""

    group: str
    partition: int
    member: str
    epoch: int
    offset: int


class Note(NamedTuple):
    """The batch that a publisher writes. `epoch` is that of its start."""

    publisher: str
    epoch: int
    batch: str


class Run(NamedTuple):
    """Rows in order with their offsets."""

    offsets: Sequence[int]
    rows: Sequence[Row]


class Claim(NamedTuple):
    """A partition held by a member, and the committed offset at which it starts."""

    epoch: int
    offset: int


@dataclass(frozen=True, slots=True)
class Share:
    """What a member holds, and which of it others are waiting for."""

    held: Mapping[int, Claim]
    surplus: frozenset[int]


@dataclass(frozen=True, slots=True)
class Bounds:
    """First kept and next offset of a partition."""

    first: int
    next: int


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """How far a group came on one partition. `member` is None while nobody reads it."""

    group: str
    partition: TopicPartition
    committed: int
    lag: int
    member: str | None


class Log(Protocol):
    """Storage of a local broker. Every call may raise BrokerUnavailable."""

    @property
    def capabilities(self) -> Capabilities:
        """What it promises."""

    @property
    def signals(self) -> Signals:
        """Wakes those who wait for records or for a change of their group."""

    async def start(self) -> None:
        """Open."""

    async def close(self) -> None:
        """Close; calls under way end first."""

    async def create(self, spec: TopicSpec) -> bool:
        """As in `TopicAdmin`."""

    async def delete(self, name: str) -> bool:
        """As in `TopicAdmin`."""

    async def describe(self, name: str | None) -> Sequence[TopicDescription]:
        """The topic of that name, or every topic; empty if there is none."""

    async def topic(self, name: str) -> Topic:
        """Look a topic up; cheap the second time. Raises TopicNotFound."""

    def forget(self, name: str) -> None:
        """Look the topic up afresh next time."""

    async def write(self, appends: Sequence[Append], commits: Sequence[Commit], note: Note | None = None) -> None:
        """All of it, or nothing. Raises Fenced, TopicGone."""

    async def take_over(self, publisher: str) -> tuple[int, str | None]:
        """A new epoch of the publisher, and the batch it wrote last."""

    async def read(self, partition: int, offset: int, max_records: int) -> Sequence[Run]:
        """Rows from the offset on, or from the first kept one after it. May be more than `max_records` by a few.

        Raises TopicGone.
        """

    async def bounds(self, partitions: Sequence[int]) -> Mapping[int, Bounds]:
        """Raises TopicGone."""

    async def balance(self, topic: Topic, group: str, member: str) -> Share:
        """Join (if not a member yet), claim what is free and due, tell what to give up. Raises TopicGone."""

    async def release(self, topic: Topic, group: str, member: str, partitions: Sequence[int]) -> None:
        """Give these claims up."""

    async def leave(self, topic: Topic, group: str, member: str) -> None:
        """Give everything up and be a member no longer."""

    async def positions(self, topic: Topic) -> Sequence[GroupPosition]:
        """How far every group came."""

    async def maintain(self) -> None:
        """Remove what retention and compaction allow to remove. Also runs by itself from time to time."""


def not_found(name: str, known: Iterable[str]) -> TopicNotFound:
    """The error for a topic that is not there."""
    hint = did_you_mean(name, known) or "Create it, or declare it with 'creation-mode: create-if-not-exists'."
    return TopicNotFound(f"topic {name} does not exist. {hint}")


def fenced(group: str) -> Fenced:
    """The error for a commit by somebody who is not the owner any more."""
    return Fenced(
        f"consumer group {group}: a partition belongs to another member now, so nothing was committed; "
        "its records are delivered there"
    )


def superseded(publisher: str) -> Fenced:
    """The error for a batch of a publisher that somebody else has taken over."""
    return Fenced(
        f"another process publishes as {publisher} now, so nothing was written. Is the application running twice?"
    )


def check_offset(commit: Commit, end: int) -> None:
    """Raises TopicError for an offset that the partition does not have."""
    if not 0 <= commit.offset <= end:
        raise TopicError(
            f"consumer group {commit.group} cannot commit offset {commit.offset}: the partition ends at {end}"
        )
