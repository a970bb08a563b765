"""What stands in the place of a broker where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from langstream.errors import TopicError
from langstream.records import Record
from langstream.topics.contract import (
    Capabilities,
    Fetched,
    Position,
    RevokedCallback,
    TopicConsumer,
    TopicDescription,
    TopicPartition,
    TopicSpec,
)


class NoBroker(TopicError):
    """A connection was opened where there is no broker."""

    retryable = False


def refuse(topic: str) -> NoReturn:
    """Raises NoBroker."""
    raise NoBroker(
        f"topic {topic} cannot be used: no streaming cluster is configured (its type is 'noop'). Name one in the "
        "instance, under streamingCluster, such as `type: embedded`"
    )


class NoCluster:
    """See `TopicCluster`. Its administration makes nothing, and finds whatever it is asked for."""

    def __init__(self) -> None:
        self.capabilities = Capabilities(transactions=False, durable=False, shared=False)
        self.admin = NoAdmin()

    async def start(self) -> None:
        """Nothing to connect to."""

    def consumer(
        self,
        topic: str,
        group: str,
        *,
        options: Mapping[str, Any] | None = None,
        on_revoked: RevokedCallback | None = None,
    ) -> NoConnection:
        """One that cannot be started."""
        return NoConnection(topic)

    def producer(self, *, options: Mapping[str, Any] | None = None) -> NoProducer:
        """One that cannot send."""
        return NoProducer()

    def publisher(self, name: str, topic: str, *, options: Mapping[str, Any] | None = None) -> NoReturn:
        """There is none. Raises NoBroker."""
        refuse(topic)

    def reader(self, topic: str, position: Position) -> NoConnection:
        """One that cannot be started."""
        return NoConnection(topic)

    async def close(self) -> None:
        """Nothing to let go."""


class NoAdmin:
    """See `TopicAdmin`."""

    async def create(self, spec: TopicSpec) -> bool:
        """Accepted, not made."""
        return False

    async def declare(self, spec: TopicSpec) -> None:
        """Accepted."""

    async def delete(self, name: str) -> bool:
        """There was none."""
        return False

    async def describe(self, name: str) -> TopicDescription | None:
        """As if somebody else had made it: whether an application can do without is seen when it reads or writes."""
        return TopicDescription(name, 1)

    async def list(self) -> Sequence[TopicDescription]:
        """None."""
        return ()


class NoConnection:
    """A consumer or a reader of a topic."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    async def start(self) -> None:
        """Raises NoBroker."""
        refuse(self._topic)

    async def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """Raises NoBroker."""
        refuse(self._topic)

    async def read(self, max_records: int, timeout_seconds: float) -> Sequence[Fetched]:
        """Raises NoBroker."""
        refuse(self._topic)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Raises NoBroker."""
        refuse(self._topic)

    def assignment(self) -> frozenset[TopicPartition]:
        """Nothing."""
        return frozenset()

    async def lag(self) -> Mapping[TopicPartition, int]:
        """Nothing."""
        return {}

    def next_offsets(self) -> Mapping[int, int]:
        """Nothing."""
        return {}

    async def close(self) -> None:
        """Nothing to let go."""


class NoProducer:
    """See `TopicProducer`. It may be started: nodes have one whether they send or not."""

    async def start(self) -> None:
        """Nothing to connect to."""

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Raises NoBroker."""
        refuse(topic)

    async def transact(
        self,
        sends: Sequence[tuple[str, Sequence[Record]]],
        consumer: TopicConsumer,
        offsets: Mapping[TopicPartition, int],
    ) -> None:
        """Raises NoBroker."""
        refuse(sends[0][0] if sends else "")

    async def close(self) -> None:
        """Nothing to let go."""
