"""A local broker: the streaming contract over a `Log`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from weakref import WeakSet

from langstream.errors import BrokerUnavailable
from langstream.topics.contract import (
    Capabilities,
    Position,
    RevokedCallback,
    TopicDescription,
    TopicSpec,
)
from langstream.topics.local.consumer import LocalConsumer
from langstream.topics.local.log import GroupPosition, Log
from langstream.topics.local.producer import LocalProducer
from langstream.topics.local.publisher import LocalPublisher
from langstream.topics.local.reader import LocalReader

REVOKE_TIMEOUT_SECONDS: Final = 10.0
"""How long a partition's records in flight may take to finish before it moves to another member."""


class LocalAdmin:
    """See `TopicAdmin`; also tells how far consumer groups came."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def create(self, spec: TopicSpec) -> bool:
        """Create, or make sure that what is there is the same."""
        return await self._log.create(spec)

    async def declare(self, spec: TopicSpec) -> None:
        """Values carry what they are."""

    async def delete(self, name: str) -> bool:
        """Records and offsets go with the topic."""
        return await self._log.delete(name)

    async def describe(self, name: str) -> TopicDescription | None:
        """With records and bytes."""
        found = await self._log.describe(name)
        return found[0] if found else None

    async def list(self) -> Sequence[TopicDescription]:
        """By name, with records and bytes."""
        return await self._log.describe(None)

    async def positions(self, topic: str) -> Sequence[GroupPosition]:
        """Committed offset and lag of every consumer group of the topic. Raises TopicNotFound."""
        return await self._log.positions(await self._log.topic(topic))


class LocalCluster:
    """See `TopicCluster`."""

    def __init__(self, log: Log, *, revoke_timeout_seconds: float = REVOKE_TIMEOUT_SECONDS) -> None:
        self._log = log
        self._revoke_timeout = revoke_timeout_seconds
        self._admin = LocalAdmin(log)
        self._consumers: WeakSet[LocalConsumer] = WeakSet()
        self._readers: WeakSet[LocalReader] = WeakSet()
        self._started = False

    @property
    def capabilities(self) -> Capabilities:
        """Those of the log."""
        return self._log.capabilities

    @property
    def admin(self) -> LocalAdmin:
        """Topic administration."""
        return self._admin

    async def start(self) -> None:
        """Open the log."""
        if not self._started:
            await self._log.start()
            self._started = True

    def consumer(
        self,
        topic: str,
        group: str,
        *,
        options: Mapping[str, Any] | None = None,
        on_revoked: RevokedCallback | None = None,
    ) -> LocalConsumer:
        """A new member. `options` are settings of other brokers' clients: nothing here needs them."""
        self._check_started()
        consumer = LocalConsumer(self._log, topic, group, on_revoked, self._revoke_timeout)
        self._consumers.add(consumer)
        return consumer

    def producer(self, *, options: Mapping[str, Any] | None = None) -> LocalProducer:
        """A producer."""
        self._check_started()
        return LocalProducer(self._log)

    def publisher(self, name: str, topic: str, *, options: Mapping[str, Any] | None = None) -> LocalPublisher:
        """A publisher."""
        self._check_started()
        return LocalPublisher(self._log, name, topic)

    def reader(self, topic: str, position: Position) -> LocalReader:
        """A reader."""
        self._check_started()
        reader = LocalReader(self._log, topic, position)
        self._readers.add(reader)
        return reader

    async def maintain(self) -> None:
        """Apply retention and compaction now; they also run by themselves."""
        await self._log.maintain()

    async def close(self) -> None:
        """Close members and readers, then the log."""
        if not self._started:
            return
        self._started = False
        try:
            for consumer in list(self._consumers):
                try:
                    await consumer.close()
                except BrokerUnavailable:  # its claims expire
                    continue
            for reader in list(self._readers):
                await reader.close()
        finally:
            await self._log.close()

    def _check_started(self) -> None:
        if not self._started:
            raise RuntimeError("the cluster is not started: await cluster.start() first")
