"""Creates, deletes and describes topics; tells how far consumer groups came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, NewTopic, ResourceType

from langstream.errors import BrokerUnavailable, TopicError, TopicMismatch
from langstream.topics.contract import TopicDescription, TopicSpec
from langstream.topics.contract import TopicPartition as Partition
from langstream.topics.kafka.catalogue import REQUEST_SECONDS, Catalogue
from langstream.topics.kafka.failures import reason, topic_error
from langstream.topics.kafka.schemas import Schemas
from langstream.topics.kafka.threads import Threads
from langstream.topics.local.log import GroupPosition
from langstream.topics.settings import check_same, check_spec

REPLICATION: Final = "replication-factor"
VISIBLE_SECONDS: Final = 30.0
"""How long the brokers may take to agree that a topic was created or deleted."""
GROUPS_AT_ONCE: Final = 8


class KafkaAdmin:
    """See `TopicAdmin`. `make_consumer` gives a client that can ask what a group has committed, and never joins it."""

    def __init__(
        self,
        client: AdminClient,
        make_consumer: Callable[[str], Consumer],
        catalogue: Catalogue,
        schemas: Schemas,
        threads: Threads,
    ) -> None:
        self._client = client
        self._make_consumer = make_consumer
        self._catalogue = catalogue
        self._schemas = schemas
        self._threads = threads
        self._asking = asyncio.Semaphore(GROUPS_AT_ONCE)

    async def create(self, spec: TopicSpec) -> bool:
        """Create, or make sure that what is there is the same: partitions, settings, replicas, schemas."""
        await self._schemas.declare(spec, register=True)
        return await self._create(spec)

    async def declare(self, spec: TopicSpec) -> None:
        """Schemas of others' topics are registered by the first record that is written with them."""
        await self._schemas.declare(spec, register=False)

    async def _create(self, spec: TopicSpec) -> bool:
        partitions, config = check_spec(spec)
        config = {name: value.replace(" ", "") if "policy" in name else value for name, value in config.items()}
        replicas = _replicas(spec)
        if await self._catalogue.describe(spec.name):
            await self._check_same(spec, replicas)
            return False
        new = NewTopic(spec.name, partitions, replicas or -1, config=config)
        try:
            await _persistently(lambda: self._client.create_topics([new], request_timeout=REQUEST_SECONDS)[spec.name])
        except KafkaException as error:
            if reason(error).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise topic_error(error, f"creating topic {spec.name}") from error
            await self._check_same(spec, replicas)
            return False
        self._catalogue.forget(spec.name)
        await self._until_there(spec.name)
        return True

    async def delete(self, name: str) -> bool:
        """Records and offsets go with the topic."""
        self._catalogue.forget(name)
        try:
            await _persistently(lambda: self._client.delete_topics([name], request_timeout=REQUEST_SECONDS)[name])
        except KafkaException as error:
            if reason(error).code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return False
            raise topic_error(error, f"deleting topic {name}") from error
        await self._until_gone(name)
        return True

    async def describe(self, name: str) -> TopicDescription | None:
        """With records, counted by offsets: marks of transactions and what was compacted away count too."""
        found = await self._catalogue.describe(name)
        if found is None:
            return None
        config = await self._config(name)
        bounds = await self._catalogue.bounds_of(name, len(found.partitions))
        changed = {key: entry.value for key, entry in config.items() if entry.source == _CHANGED}
        records = sum(end - first for first, end in bounds.values())
        return TopicDescription(name, len(found.partitions), changed, records)

    async def list(self) -> Sequence[TopicDescription]:
        """By name, without the cluster's own topics."""
        described = await asyncio.gather(*(self.describe(name) for name in await self._catalogue.names()))
        return [description for description in described if description is not None]

    async def positions(self, topic: str) -> Sequence[GroupPosition]:
        """Committed offset and lag of every consumer group of the topic. Raises TopicNotFound."""
        bounds = await self._catalogue.bounds_of(topic, (await self._catalogue.topic(topic)).partitions)
        try:
            listed = await _answer(self._client.list_consumer_groups(request_timeout=REQUEST_SECONDS))
            names = sorted(group.group_id for group in listed.valid)
            places = [TopicPartition(topic, number) for number in bounds]
            committed = await asyncio.gather(*(self._committed(name, places) for name in names))
            owners = await self._owners(names)
        except KafkaException as error:
            raise topic_error(error, f"looking up the consumer groups of topic {topic}") from error
        found = []
        for name, offsets in zip(names, committed, strict=True):
            for partition in offsets:
                if partition.error is not None:
                    raise topic_error(
                        KafkaException(partition.error), f"looking up what consumer group {name} has committed"
                    )
                if partition.offset < 0:
                    continue
                first, end = bounds[partition.partition]
                place = Partition(topic, partition.partition)
                owner = owners.get((name, place))
                lag = max(0, end - max(first, partition.offset))
                found.append(GroupPosition(name, place, partition.offset, lag, owner))
        return found

    # --- parts ------------------------------------------------------------------------------------------------------

    async def _check_same(self, spec: TopicSpec, replicas: int | None) -> None:
        found = await self._catalogue.describe(spec.name)
        if found is None:
            raise BrokerUnavailable(f"topic {spec.name} was deleted while it was being looked at")
        config = await self._config(spec.name)
        check_same(spec, len(found.partitions), {name: str(entry.value) for name, entry in config.items()})
        there = len(found.partitions[0].replicas)
        if replicas is not None and replicas != there:
            raise TopicMismatch(
                f"topic {spec.name} exists with {REPLICATION} {there}, but {replicas} is declared; "
                "declare the same, use another name, or delete the topic first"
            )

    async def _config(self, name: str) -> Mapping[str, Any]:
        resource = ConfigResource(ResourceType.TOPIC, name)
        try:
            answers = self._client.describe_configs([resource], request_timeout=REQUEST_SECONDS)
            config: Mapping[str, Any] = await _answer(answers[resource])
        except KafkaException as error:
            raise topic_error(error, f"looking up the settings of topic {name}") from error
        return config

    async def _committed(self, group: str, places: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        async with self._asking:
            return await self._threads.run(self._look, group, places)

    def _look(self, group: str, places: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        """In a thread. By a client of that group: librdkafka's client for administrators (2.16) ends the process with a
        segmentation fault when it is told that the group's coordinator has moved.
        """
        client = self._make_consumer(group)
        try:
            found: Sequence[TopicPartition] = client.committed(list(places), REQUEST_SECONDS)
            return found
        finally:
            client.close()

    async def _owners(self, groups: Sequence[str]) -> dict[tuple[str, Partition], str]:
        if not groups:
            return {}
        answers = self._client.describe_consumer_groups(list(groups), request_timeout=REQUEST_SECONDS)
        owners: dict[tuple[str, Partition], str] = {}
        for name, future in answers.items():
            for member in (await _answer(future)).members:
                for partition in member.assignment.topic_partitions if member.assignment else ():
                    owners[name, Partition(partition.topic, partition.partition)] = member.member_id
        return owners

    async def _until_there(self, name: str) -> None:
        """Every broker asked from now on should know it, and every partition have a leader."""
        for _ in _patience():
            found = await self._catalogue.describe(name)
            if found is not None and all(_led(partition) for partition in found.partitions):
                return
            await asyncio.sleep(_PAUSE)
        raise BrokerUnavailable(f"topic {name} was created, but its partitions have no leader yet")

    async def _until_gone(self, name: str) -> None:
        for _ in _patience():
            if await self._catalogue.describe(name) is None:
                return
            await asyncio.sleep(_PAUSE)
        raise BrokerUnavailable(f"topic {name} was deleted, but the brokers still show it")


REQUEST_ATTEMPTS: Final = 4
_AWAY: Final = (KafkaError._TIMED_OUT, KafkaError.REQUEST_TIMED_OUT, KafkaError.NOT_CONTROLLER, KafkaError._TRANSPORT)
_PAUSE: Final = 0.05
_CHANGED: Final = ConfigSource.DYNAMIC_TOPIC_CONFIG.value


def _patience() -> range:
    return range(int(VISIBLE_SECONDS / _PAUSE))


def _led(partition: Any) -> bool:
    return partition.leader is not None and partition.leader.id >= 0


def _replicas(spec: TopicSpec) -> int | None:
    given = spec.options.get(REPLICATION)
    if given is None:
        return None
    try:
        replicas = int(given)
    except (TypeError, ValueError):
        replicas = 0
    if not 1 <= replicas <= 32_767:
        raise TopicError(f"topic {spec.name}: {REPLICATION} is {given!r}; expected a whole number from 1")
    return replicas


async def _persistently(request: Callable[[], Any]) -> None:
    """Again, while the cluster is choosing a controller."""
    for attempt in range(REQUEST_ATTEMPTS):
        try:
            await _answer(request())
            return
        except KafkaException as error:
            if reason(error).code() not in _AWAY or attempt + 1 == REQUEST_ATTEMPTS:
                raise


async def _answer(future: Any) -> Any:
    return await asyncio.wrap_future(future)
