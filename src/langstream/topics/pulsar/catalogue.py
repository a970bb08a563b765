"""What topics there are: looked up once and remembered for a while, since every send asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from langstream.errors import TopicNotFound
from langstream.topics.local.log import not_found
from langstream.topics.pulsar.names import Namespace, partition_name, short_names
from langstream.topics.pulsar.position import end_of
from langstream.topics.pulsar.rest import Rest

REMEMBER_SECONDS: Final = 60.0
_BRIEF: Final = {"getPreciseBacklog": "false", "subscriptionBacklogSize": "false", "getEarliestTimeInBacklog": "false"}


class Known(NamedTuple):
    """A topic. `divided` 0 is a topic that is its own only partition."""

    name: str
    divided: int
    at: float

    @property
    def partitions(self) -> int:
        """How many, at least one."""
        return max(1, self.divided)

    def part(self, number: int) -> str:
        """The short name of a partition."""
        return partition_name(self.name, number) if self.divided else self.name


class Catalogue:
    """Topics and their ends, by way of the administration interface."""

    def __init__(self, rest: Rest, namespace: Namespace) -> None:
        self.rest = rest
        self.namespace = namespace
        self._known: dict[str, Known] = {}
        self._asked: dict[str, asyncio.Task[Known]] = {}

    async def topic(self, topic: str) -> Known:
        """The topic as it was lately. Raises TopicNotFound with what is near, BrokerUnavailable."""
        known = self._known.get(topic)
        if known and known.at > time.monotonic() - REMEMBER_SECONDS:
            return known
        asked = self._asked.get(topic)
        if asked is None:
            asked = self._asked[topic] = asyncio.create_task(self._ask(topic))
            asked.add_done_callback(lambda task: self._asked_for(topic, task))
        return await asyncio.shield(asked)

    def forget(self, topic: str) -> None:
        """Look it up again next time."""
        self._known.pop(topic, None)

    async def look_up(self, topic: str) -> Known | None:
        """As the brokers tell now; None if there is none."""
        found = await self.rest.get(*self.namespace.path(topic), "partitions", checkAllowAutoCreation="false")
        if found is None:
            return None
        divided = int(found.get("partitions", 0))
        if divided > 0:
            return Known(topic, divided, time.monotonic())
        there = await self.rest.get(*self.namespace.path(topic), "stats", **_BRIEF)
        return None if there is None else Known(topic, 0, time.monotonic())

    async def schema(self, topic: str) -> Mapping[str, Any] | None:
        """The latest schema kept with the topic."""
        found: Mapping[str, Any] | None
        found = await self.rest.get("schemas", self.namespace.tenant, self.namespace.name, topic, "schema")
        return found

    async def compacted(self, topic: str) -> bool:
        """Whether only the last record of each key is of interest."""
        threshold = await self.rest.get(*self.namespace.path(topic), "compactionThreshold")
        return isinstance(threshold, int) and threshold > 0

    async def names(self) -> list[str]:
        """Every topic that is not the cluster's own."""
        place = ("persistent", self.namespace.tenant, self.namespace.name)
        listed, divided = await asyncio.gather(self.rest.get(*place), self.rest.get(*place, "partitioned"))
        return short_names([*(listed or ()), *(divided or ())])

    async def stats(self, known: Known, precise: bool = False) -> Mapping[int, Mapping[str, Any]]:
        """Of every partition; `precise` where the backlog must not be an estimate. Raises TopicNotFound."""
        wanted = {**_BRIEF, "getPreciseBacklog": "true"} if precise else _BRIEF
        if not known.divided:
            found = await self.rest.get(*self.namespace.path(known.name), "stats", **wanted)
            if found is None:
                raise await self.missing(known.name)
            return {0: found}
        found = await self.rest.get(
            *self.namespace.path(known.name), "partitioned-stats", perPartition="true", **wanted
        )
        if found is None:
            raise await self.missing(known.name)
        full, parts = self.namespace.full(known.name), found.get("partitions") or {}
        return {number: parts.get(partition_name(full, number), {}) for number in range(known.divided)}

    async def ledgers(self, known: Known, number: int) -> Mapping[str, Any]:
        """What a partition consists of, and how far its subscriptions are. Raises TopicNotFound."""
        found: Mapping[str, Any] | None
        found = await self.rest.get(*self.namespace.path(known.part(number)), "internalStats")
        if found is None:
            await self._check_idle(known)
        return found or {}

    async def ends(self, known: Known) -> dict[int, int]:
        """The next offset of every partition. Raises TopicNotFound."""
        return dict(enumerate(await asyncio.gather(*(self.end(known, number) for number in range(known.partitions)))))

    async def end(self, known: Known, number: int) -> int:
        """The next offset of a partition."""
        found = await self.rest.get(*self.namespace.path(known.part(number)), "lastMessageId")
        if found is None:
            await self._check_idle(known)
        return end_of(found or {})

    async def _check_idle(self, known: Known) -> None:
        """Brokers remove partitions that nobody uses and nothing was written to, and make them again when needed.

        Raises TopicNotFound if it is the topic that is gone.
        """
        if not known.divided or await self.look_up(known.name) is None:
            raise await self.missing(known.name)

    async def missing(self, topic: str) -> TopicNotFound:
        """The error for a topic that is not there."""
        self.forget(topic)
        return not_found(topic, await self.names())

    async def _ask(self, topic: str) -> Known:
        found = await self.look_up(topic)
        if found is None:
            raise await self.missing(topic)
        self._known[topic] = found
        return found

    def _asked_for(self, topic: str, task: asyncio.Task[Known]) -> None:
        del self._asked[topic]
        if not task.cancelled():
            task.exception()  # those who asked may all be gone
