"""Creates, deletes and describes topics, with the tenant and namespace they need; tells how far groups came."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from langstream.errors import BrokerUnavailable
from langstream.topics.contract import TopicDescription, TopicPartition, TopicSpec
from langstream.topics.local.log import GroupPosition
from langstream.topics.pulsar.backlog import entries, entries_after, marked, records_per_entry
from langstream.topics.pulsar.catalogue import Catalogue, Known
from langstream.topics.pulsar.options import EXCLUSIVE, consumer_options, producer_options
from langstream.topics.pulsar.policies import DEFAULT_RETENTION, KEPT, Policies, described, policies_of
from langstream.topics.pulsar.position import offset_of
from langstream.topics.pulsar.rest import RestError
from langstream.topics.pulsar.schemas import Form, declared
from langstream.topics.pulsar.settings import RetentionPolicies
from langstream.topics.settings import check_same, check_spec

CONFIG: Final = "langstream.config"
PARTITIONED: Final = "application/vnd.partitioned-topic-metadata+json"
VISIBLE_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 0.1

_log = logging.getLogger(__name__)


class PulsarAdmin:
    """See `TopicAdmin`."""

    def __init__(
        self, catalogue: Catalogue, retention: RetentionPolicies | None, forget: Callable[[str], None]
    ) -> None:
        self._catalogue = catalogue
        self._rest = catalogue.rest
        self._namespace = catalogue.namespace
        self._retention = retention
        self._forget = forget
        self._prepared: Policies | None = None
        self._preparing = asyncio.Lock()

    async def create(self, spec: TopicSpec) -> bool:
        """Create, or make sure that what is there is the same: partitions and settings."""
        _, config = check_spec(spec)
        form = declared(spec)  # what Pulsar does not have is refused before anything is made
        _check_options(spec)
        created = await self._create(spec, config)
        await self._keep_schema(spec.name, form)
        return created

    async def _keep_schema(self, topic: str, form: Form | None) -> None:
        """The topic gets the declared schema, unless it has one."""
        if form is not None and await self._catalogue.schema(topic) is None:
            place = ("schemas", self._namespace.tenant, self._namespace.name, topic, "schema")
            await self._rest.post(*place, body={"type": form.kind, "schema": form.text, "properties": {}})

    async def _create(self, spec: TopicSpec, config: Mapping[str, str]) -> bool:
        inherited = await self._prepare()
        if await self._exists(spec):
            return False
        path = self._namespace.path(spec.name)
        properties = {CONFIG: json.dumps(config)}
        try:
            if spec.partitions > 0:
                body = {"partitions": spec.partitions, "properties": properties}
                await self._rest.put(*path, "partitions", body=body, kind=PARTITIONED)
            else:
                await self._rest.put(*path, body=properties)
        except RestError as error:
            if error.status != 409:
                raise
            await self._until(lambda: self._exists(spec), f"topic {spec.name} is being made or deleted elsewhere")
            return False
        self._catalogue.forget(spec.name)
        for name, setting in policies_of(spec.name, config, inherited).items():
            await self._rest.post(*path, name, body=setting)
        return True

    async def delete(self, name: str) -> bool:
        """Records and subscriptions go with the topic; those who read or write it are told."""
        known = await self._catalogue.look_up(name)
        self._catalogue.forget(name)
        if known is None:
            return False
        path = self._namespace.path(name)
        there = await self._rest.delete(*path, *(("partitions",) if known.divided else ()), force="true")
        self._forget(name)
        return there

    async def declare(self, spec: TopicSpec) -> None:
        """A topic that somebody else made without a schema gets the declared one: values are written as it says."""
        _check_options(spec)
        await self._keep_schema(spec.name, declared(spec))

    async def describe(self, name: str) -> TopicDescription | None:
        """With records counted by entries; an estimate where others write them in batches."""
        known = await self._catalogue.look_up(name)
        return None if known is None else await self._describe(known)

    async def list(self) -> Sequence[TopicDescription]:
        """By name, without Pulsar's own topics."""
        descriptions = await asyncio.gather(*(self.describe(name) for name in await self._catalogue.names()))
        return [description for description in descriptions if description is not None]

    async def positions(self, topic: str) -> Sequence[GroupPosition]:
        """Committed offset and lag of every subscription of the topic. Raises TopicNotFound."""
        known = await self._catalogue.topic(topic)
        stats = await self._catalogue.stats(known)
        found: list[GroupPosition] = []
        for number in range(known.partitions):
            ledgers = await self._catalogue.ledgers(known, number)
            for group, subscription in stats[number].get("subscriptions", {}).items():
                if not subscription.get("isDurable", True):
                    continue
                ledger, entry = marked(ledgers, group)
                behind = entries_after(ledgers, ledger, entry)
                if subscription.get("type", EXCLUSIVE) != EXCLUSIVE:  # some of those behind may be acknowledged
                    behind = min(behind, int(subscription.get("msgBacklog") or 0))
                lag = round(behind * records_per_entry(ledgers, stats[number]))
                owner = ", ".join(str(each.get("consumerName")) for each in subscription.get("consumers", ())) or None
                committed = offset_of(ledger, entry) + 1 if entry >= 0 else offset_of(max(0, ledger), 0)
                found.append(GroupPosition(group, TopicPartition(topic, number), committed, lag, owner))
        return sorted(found, key=lambda position: (position.group, position.partition))

    # --- parts ------------------------------------------------------------------------------------------------------

    async def _exists(self, spec: TopicSpec) -> bool:
        """Whether it does. Raises TopicMismatch if it is another."""
        known = await self._catalogue.look_up(spec.name)
        if known is None:
            return False
        check_same(spec, known.partitions, await self._config(spec.name))
        return True

    async def _describe(self, known: Known) -> TopicDescription | None:
        stats = await self._catalogue.stats(known)
        ledgers = await asyncio.gather(*(self._catalogue.ledgers(known, number) for number in stats))
        config = await self._config(known.name)
        records = sum(
            round(entries(part) * records_per_entry(part, stats[number])) for number, part in enumerate(ledgers)
        )
        size = sum(int(part.get("storageSize") or 0) for part in stats.values())
        return TopicDescription(known.name, known.partitions, config, records, size)

    async def _config(self, name: str) -> dict[str, str]:
        """As it was declared; from the policies, if the topic was made by somebody else."""
        path = self._namespace.path(name)
        properties = await self._rest.get(*path, "properties")
        kept = properties.get(CONFIG) if isinstance(properties, Mapping) else None
        if kept is not None:
            config: dict[str, str] = json.loads(kept)
            return config
        retention, threshold = await asyncio.gather(
            self._rest.get(*path, "retention"), self._rest.get(*path, "compactionThreshold")
        )
        return described(retention, threshold)

    async def _prepare(self) -> Policies:
        """Tenant and namespace, once. What the namespace says about retention."""
        async with self._preparing:
            if self._prepared is None:
                self._prepared = await self._prepared_namespace()
        return self._prepared

    async def _prepared_namespace(self) -> Policies:
        tenant, name = self._namespace.tenant, self._namespace.name
        found = await self._rest.get("namespaces", tenant, name)
        if found is None:
            await self._make_namespace(tenant, name)
            await self._rest.post("namespaces", tenant, name, "retention", body=DEFAULT_RETENTION)
            await self._rest.post("namespaces", tenant, name, "inactiveTopicPolicies", body=KEPT)
            found = {"retention_policies": DEFAULT_RETENTION, "inactive_topic_policies": KEPT}
        kept = not (found.get("inactive_topic_policies") or {}).get("deleteWhileInactive", True)
        if self._retention is not None:
            time, size = self._retention.retention_time_in_minutes, self._retention.retention_size_in_mb
            if time is not None or size is not None:
                chosen = {
                    "retentionTimeInMinutes": -1 if time is None else time,
                    "retentionSizeInMB": -1 if size is None else size,
                }
                await self._rest.post("namespaces", tenant, name, "retention", body=chosen)
                return Policies(chosen, kept)
        return Policies(found.get("retention_policies"), kept)

    async def _make_namespace(self, tenant: str, name: str) -> None:
        if await self._rest.get("tenants", tenant) is None:
            clusters = [each for each in await self._rest.get("clusters") or () if each != "global"]
            await self._made("tenants", tenant, body={"adminRoles": [], "allowedClusters": clusters})
        await self._made("namespaces", tenant, name, body={})
        _log.info("made the Pulsar namespace %s/%s", tenant, name)

    async def _made(self, *path: str, body: Any) -> None:
        try:
            await self._rest.put(*path, body=body)
        except RestError as error:
            if error.status != 409:  # another process was quicker
                raise

    async def _until(self, there: Callable[[], Any], otherwise: str) -> None:
        for _ in range(int(VISIBLE_SECONDS / PAUSE_SECONDS)):
            if await there():
                return
            await asyncio.sleep(PAUSE_SECONDS)
        raise BrokerUnavailable(otherwise)


def _check_options(spec: TopicSpec) -> None:
    """Raises ApplicationRefused for what the topic's clients could not use."""
    consumer_options(spec.options)
    producer_options(spec.options)
