"""Who is in a consumer group, and who of it reads which partition: seen in what is attached to the topic.

There is no coordinator. Each member shows itself by a reader without a cursor of its own, whose name is the member's,
and owns a partition as long as its exclusive consumer is attached there. So the brokers keep the list, drop those who
are gone, and let nobody read or acknowledge who is not the owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import _pulsar

from langstream.topics.pulsar.bridge import answer, ignore, outcome
from langstream.topics.pulsar.names import membership_prefix, shows_member
from langstream.topics.pulsar.options import EXCLUSIVE
from langstream.topics.pulsar.schemas import Versions


@dataclass(frozen=True, slots=True)
class View:
    """A group at one moment: its members in order of joining, and the owners of partitions."""

    members: tuple[str, ...]
    owners: Mapping[int, str]
    other_type: str = ""
    """How somebody else attaches the group's subscription, if it is not by exclusive consumers."""


def view(stats: Mapping[int, Mapping[str, Any]], group: str) -> View:
    """The group as the statistics of the topic show it."""
    joined: list[tuple[str, str]] = []
    owners: dict[int, str] = {}
    other_type = ""
    for number, part in stats.items():
        for name, subscription in part.get("subscriptions", {}).items():
            consumers = subscription.get("consumers") or ()
            if name == group and consumers:
                owners[number] = str(consumers[0].get("consumerName", ""))
                if subscription.get("type", EXCLUSIVE) != EXCLUSIVE:
                    other_type = str(subscription["type"])
            elif number == 0 and shows_member(name, group):
                joined += [(str(each.get("connectedSince")), str(each.get("consumerName"))) for each in consumers]
    return View(tuple(name for _, name in sorted(joined)), owners, other_type)


class Attaching(Protocol):
    """What attaches to a topic: the cluster, which holds the client."""

    def subscribe(self, topic: str, group: str, configuration: Any, answered: Callable[..., None]) -> None:
        """As the client's `subscribe_async`."""

    def read(self, topic: str, start: Any, configuration: Any, answered: Callable[..., None]) -> None:
        """As the client's `create_reader_async`."""

    def versions(self, topic: str) -> Versions:
        """The schemas of the topic's messages."""


class Presence:
    """A member showing itself."""

    def __init__(self, attaching: Attaching, group: str, member: str) -> None:
        self._attaching = attaching
        self._group = group
        self._member = member
        self._reader: Any = None

    async def show(self, topic: str, doing: str) -> None:
        """Attach to the first partition of the topic. Raises TopicError."""
        configuration = _pulsar.ReaderConfiguration()
        configuration.reader_name(self._member)
        configuration.subscription_role_prefix(membership_prefix(self._group))
        configuration.receiver_queue_size(1)  # what it receives is of no interest
        latest = _pulsar.MessageId.latest
        self._reader = await answer(
            lambda answered: self._attaching.read(topic, latest, configuration, answered), doing, _close
        )

    async def hide(self) -> None:
        """Leave."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await outcome(reader.close_async)


def _close(client: Any) -> None:
    client.close_async(ignore)


class Signals:
    """Tells members in this process of changes that members in this process make; others look from time to time."""

    def __init__(self) -> None:
        self._watching: dict[tuple[str, str], set[asyncio.Event]] = {}

    def watch(self, topic: str, group: str, event: asyncio.Event) -> None:
        """Set the event at changes."""
        self._watching.setdefault((topic, group), set()).add(event)

    def unwatch(self, topic: str, group: str, event: asyncio.Event) -> None:
        """No more."""
        self._watching.get((topic, group), set()).discard(event)

    def changed(self, topic: str, group: str) -> None:
        """Something did."""
        for event in self._watching.get((topic, group), ()):
            event.set()

    def topic_changed(self, topic: str) -> None:
        """For every group of the topic."""
        for watched, group in list(self._watching):
            if watched == topic:
                self.changed(topic, group)
