"""The streaming contract. A broker is a `TopicCluster`; everything else is opened from it.

Offsets count per partition; a committed offset is the *next* one to read. Text, bytes and None travel as they are,
`AvroValue` with its schema; every other value (numbers, booleans, lists, dicts, documents) travels as JSON text.
Header values keep text, bytes and None; other values become text as by `records.header_text`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from langstream.errors import InvalidPosition
from langstream.records import Record, SimpleRecord

DEFAULT_PARTITIONS: Final = 1


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class TopicSchema:
    """The declared form of a topic's keys or values: `string`, `bytes`, `avro` with the schema's text, …"""

    type: str
    text: str | None = None
    name: str = "Schema"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to create. `partitions` 0 means the broker's default.

    `config` has broker settings: `retention.ms`, `retention.bytes`, `cleanup.policy` (`delete`, `compact`) as Kafka
    names them. `options` has the application's `consumer.*` and `producer.*` entries.
    """

    name: str
    partitions: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    key_schema: TopicSchema | None = None
    value_schema: TopicSchema | None = None


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """A topic that exists. `records` counts those still kept; `bytes` their size, None where the broker cannot tell."""

    name: str
    partitions: int
    config: Mapping[str, Any] = field(default_factory=dict)
    records: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A run of records of one partition, in order. `offsets[i]` belongs to `records[i]`; there may be gaps."""

    topic: str
    partition: int
    offsets: Sequence[int]
    records: Sequence[SimpleRecord]

    @property
    def next_offset(self) -> int:
        """Where to go on after this run."""
        return self.offsets[-1] + 1


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a broker promises; the runtime chooses its guarantees by it."""

    transactions: bool
    """Sends and commits can be made atomic: exactly once."""
    durable: bool
    """Acknowledged records survive the process."""
    shared: bool
    """Other processes can use the same topics."""
    counted_offsets: bool = True
    """Offsets begin with 0 and grow by one; otherwise they only grow."""
    pace_seconds: float = 0.0
    """Transactions and commits of a consumer are to begin so far apart: each costs several requests, so that a steady
    trickle of records would keep the brokers busy. What comes after a silence need not wait."""


Position: TypeAlias = Literal["latest", "earliest"] | bytes
"""Where a reader starts; bytes are an offset handed out by `encode_position`."""


def encode_position(next_offsets: Mapping[int, int]) -> bytes:
    """An opaque token: for every partition the next offset to read."""
    return json.dumps({str(partition): next_offsets[partition] for partition in sorted(next_offsets)}).encode()


def decode_position(token: bytes) -> dict[int, int]:
    """The next offset per partition. Raises InvalidPosition for anything `encode_position` did not make."""
    try:
        offsets = {int(partition): offset for partition, offset in json.loads(token).items()}
    except (ValueError, AttributeError):
        raise InvalidPosition(
            "this is not a position: expected `latest`, `earliest` or an offset received before"
        ) from None
    if not all(isinstance(offset, int) and offset >= 0 and partition >= 0 for partition, offset in offsets.items()):
        raise InvalidPosition("this position holds offsets that cannot be")
    return offsets


def position_from_text(text: str) -> Position:
    """The position named by a client: `latest`, `earliest`, or base64 of a token."""
    if text == "latest" or text == "earliest":
        return text  # type: ignore[return-value]
    try:
        token = base64.b64decode(text, validate=True)
    except ValueError:
        raise InvalidPosition(
            f"{text!r} is not a position: expected `latest`, `earliest` or an offset received before"
        ) from None
    decode_position(token)
    return token


class TopicAdmin(Protocol):
    """Creates, deletes and describes topics."""

    async def create(self, spec: TopicSpec) -> bool:
        """True if created, False if it was there with the same settings. Raises TopicMismatch otherwise."""

    async def declare(self, spec: TopicSpec) -> None:
        """Tell the schemas of a topic that somebody else has made. Raises TopicError for those that cannot be."""

    async def delete(self, name: str) -> bool:
        """True if deleted, False if there was none. Its records, and the offsets of its groups, are gone."""

    async def describe(self, name: str) -> TopicDescription | None:
        """The topic, or None."""

    async def list(self) -> Sequence[TopicDescription]:
        """Every topic, by name."""


class TopicConsumer(Protocol):
    """One member of a consumer group on one topic."""

    async def start(self) -> None:
        """Join the group. New groups start at the earliest record. Raises TopicNotFound."""

    async def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """What there is, as soon as there is something; empty after the timeout. Never more than `max_records`."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store the next offsets to read. Raises Fenced for partitions this member no longer owns."""

    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions this member owns now."""

    async def lag(self) -> Mapping[TopicPartition, int]:
        """Records not yet committed, per owned partition."""

    async def close(self) -> None:
        """Leave the group; uncommitted records go to the other members."""


RevokedCallback: TypeAlias = Callable[[Collection[TopicPartition]], Awaitable[None]]
"""Called before partitions are given up: finish or drop their records in flight, commit what is done."""


class TopicProducer(Protocol):
    """Writes to any topic of the cluster."""

    async def start(self) -> None:
        """Get ready."""

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Append the records, in order per key. Returns when they are acknowledged (durable, where the broker is).

        Records without a timestamp get the present time. Raises TopicNotFound, BrokerUnavailable.
        """

    async def transact(
        self,
        sends: Sequence[tuple[str, Sequence[Record]]],
        consumer: TopicConsumer,
        offsets: Mapping[TopicPartition, int],
    ) -> None:
        """Append all records and commit all offsets, or nothing. Needs `capabilities.transactions`.

        Raises Fenced (nothing was written) when the consumer no longer owns one of the partitions.
        """

    async def close(self) -> None:
        """Let go."""


class TopicPublisher(Protocol):
    """Writes batches that come from outside, each under a name, and knows which one it wrote last.

    So whoever hands them in can tell, after a crash, whether the last one got through. Needs
    `capabilities.transactions`. One at a time has a publisher of a name: whoever starts it takes it over.
    """

    async def start(self) -> str | None:
        """The batch that was written last; None if there was none, or if the broker knows of it no longer.

        Whoever had the publisher before can write nothing more. Raises TopicNotFound, BrokerUnavailable.
        """

    async def publish(self, batch: str, sends: Sequence[tuple[str, Sequence[Record]]]) -> None:
        """Append all records and note the batch, or nothing. A batch that was written is not written again.

        Raises Fenced (nothing was written) when somebody else took the publisher over, BrokerUnavailable (call again,
        with the same batch and records, or find out by starting anew) and what `TopicProducer.send` raises.
        """

    async def close(self) -> None:
        """Let go."""


class TopicReader(Protocol):
    """Reads all partitions of a topic without a group, for gateways and tools."""

    async def start(self) -> None:
        """Fix the position: whatever is sent after this returns will be read. Raises TopicNotFound."""

    async def read(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """What there is, as soon as there is something; empty after the timeout."""

    def next_offsets(self) -> Mapping[int, int]:
        """Partition → next offset to read; `encode_position` of it resumes exactly here."""

    async def close(self) -> None:
        """Let go."""


class TopicCluster(Protocol):
    """A broker. Opened by the registry member's `open_cluster(configuration, data_directory)`."""

    @property
    def capabilities(self) -> Capabilities:
        """What it promises."""

    @property
    def admin(self) -> TopicAdmin:
        """Topic administration."""

    async def start(self) -> None:
        """Connect. Raises BrokerUnavailable."""

    def consumer(
        self,
        topic: str,
        group: str,
        *,
        options: Mapping[str, Any] | None = None,
        on_revoked: RevokedCallback | None = None,
    ) -> TopicConsumer:
        """A new member of the group; call its `start`."""

    def producer(self, *, options: Mapping[str, Any] | None = None) -> TopicProducer:
        """A producer; call its `start`."""

    def publisher(self, name: str, topic: str, *, options: Mapping[str, Any] | None = None) -> TopicPublisher:
        """A publisher of that name, which stays the same over restarts; call its `start`.

        `topic` is one it writes to: the broker may keep the note with it, and forget it with it.
        """

    def reader(self, topic: str, position: Position) -> TopicReader:
        """A reader; call its `start`."""

    async def close(self) -> None:
        """Close what was opened from it."""
