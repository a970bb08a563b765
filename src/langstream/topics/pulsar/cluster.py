"""A Pulsar cluster: the streaming contract over its client and its administration interface."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn
from weakref import WeakSet

import _pulsar

from langstream.errors import TopicError
from langstream.topics.contract import Capabilities, Position, RevokedCallback
from langstream.topics.pulsar.admin import PulsarAdmin
from langstream.topics.pulsar.bridge import outcome
from langstream.topics.pulsar.catalogue import Catalogue
from langstream.topics.pulsar.clients import client_configuration, producer_configuration
from langstream.topics.pulsar.consumer import PulsarConsumer
from langstream.topics.pulsar.group import Signals
from langstream.topics.pulsar.names import Namespace
from langstream.topics.pulsar.options import EXCLUSIVE, ProducerOptions, consumer_options, producer_options
from langstream.topics.pulsar.producer import PulsarProducer
from langstream.topics.pulsar.reader import PulsarReader
from langstream.topics.pulsar.rest import Rest
from langstream.topics.pulsar.schemas import Form, Versions, form_of
from langstream.topics.pulsar.sender import Sender
from langstream.topics.pulsar.settings import ClusterSettings
from langstream.topics.pulsar.shared import SharedPulsarConsumer

CLOSE_SECONDS: Final = 15.0

_log = logging.getLogger(__name__)


class PulsarCluster:
    """See `TopicCluster`."""

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self._rest = Rest(settings.admin_urls, settings.admin_login, settings.admin_tls)
        self._catalogue = Catalogue(self._rest, Namespace(settings.tenant, settings.namespace))
        self._admin = PulsarAdmin(self._catalogue, settings.retention, self._gone)
        self._signals = Signals()
        self._opened: WeakSet[PulsarConsumer | SharedPulsarConsumer | PulsarReader | PulsarProducer] = WeakSet()
        self._senders: dict[ProducerOptions, Sender] = {}
        self._client: Any = None

    @property
    def capabilities(self) -> Capabilities:
        """At least once: the client has no transactions. Offsets lead to ledgers and entries, so they have gaps."""
        return Capabilities(transactions=False, durable=True, shared=True, counted_offsets=False)

    @property
    def admin(self) -> PulsarAdmin:
        """Topic administration."""
        return self._admin

    async def start(self) -> None:
        """Connect. Raises BrokerUnavailable, TopicError for credentials that are not accepted."""
        if self._client is not None:
            return
        settings = self._settings
        configuration = client_configuration(settings.service, settings.service_login, settings.service_tls)
        await self._rest.start()
        try:
            await self._rest.get("namespaces", settings.tenant, settings.namespace)
        except BaseException:
            await self._rest.close()
            raise
        self._client = _pulsar.Client(settings.service_url, configuration)

    def consumer(
        self,
        topic: str,
        group: str,
        *,
        options: Mapping[str, Any] | None = None,
        on_revoked: RevokedCallback | None = None,
    ) -> PulsarConsumer | SharedPulsarConsumer:
        """A new member. `consumer.*` options are properties of its clients, and choose how members share the topic."""
        chosen = consumer_options(options or {})
        interval = self._settings.interval
        consumer: PulsarConsumer | SharedPulsarConsumer
        if chosen.subscription == EXCLUSIVE:
            consumer = PulsarConsumer(topic, group, self, self._catalogue, self._signals, chosen, interval, on_revoked)
        else:
            consumer = SharedPulsarConsumer(topic, group, self, self._catalogue, self._signals, chosen, interval)
        self._opened.add(consumer)
        return consumer

    def producer(self, *, options: Mapping[str, Any] | None = None) -> PulsarProducer:
        """A producer. `producer.*` options are properties of its clients."""
        chosen = producer_options(options or {})
        if chosen not in self._senders:
            self._senders[chosen] = Sender(
                self._catalogue,
                lambda full, form, made: self._started().create_producer_async(
                    full, producer_configuration(chosen, form), made
                ),
            )
        producer = PulsarProducer(self._senders[chosen])
        self._opened.add(producer)
        return producer

    def publisher(self, name: str, topic: str, *, options: Mapping[str, Any] | None = None) -> NoReturn:
        """The client has no transactions. Raises TopicError."""
        raise TopicError(f"topic {topic}: the Python client of Pulsar has no transactions, which publishers need")

    def reader(self, topic: str, position: Position) -> PulsarReader:
        """A reader."""
        reader = PulsarReader(topic, position, self, self._catalogue)
        self._opened.add(reader)
        return reader

    async def close(self) -> None:
        """Close members, readers and producers, all at once."""
        opened, senders = list(self._opened), list(self._senders.values())
        self._senders.clear()
        closing = [*(each.close() for each in opened), *(sender.close() for sender in senders)]
        for result in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(result, Exception):
                _log.warning("closing the Pulsar cluster: %s", result)
        client, self._client = self._client, None
        if client is not None:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await outcome(client.close_async)
            except TimeoutError:
                _log.warning("the Pulsar cluster does not answer, so its connections are left behind")
        await self._rest.close()

    # --- for the parts ----------------------------------------------------------------------------------------------

    def subscribe(self, topic: str, group: str, configuration: Any, answered: Callable[..., None]) -> None:
        """See `Attaching`."""
        self._started().subscribe_async(topic, group, configuration, answered)

    def read(self, topic: str, start: Any, configuration: Any, answered: Callable[..., None]) -> None:
        """See `Attaching`."""
        self._started().create_reader_async(topic, start, configuration, answered)

    def versions(self, topic: str) -> Versions:
        """See `Attaching`."""

        def ask(version: int) -> Form | None:
            told = self._started().get_schema_info(topic, version)
            return form_of({"type": told.schema_type().name, "data": told.schema()})

        return Versions(ask)

    def _started(self) -> Any:
        if self._client is None:
            raise RuntimeError("the cluster is not started: await cluster.start() first")
        return self._client

    def _gone(self, topic: str) -> None:
        """A topic was deleted here: those who use it should not have to find out."""
        for sender in self._senders.values():
            sender.forget(topic)
        self._signals.topic_changed(topic)
