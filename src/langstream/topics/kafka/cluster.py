"""A Kafka cluster: the streaming contract over its clients."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from weakref import WeakSet

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from langstream.errors import ApplicationRefused, BrokerUnavailable, Problem
from langstream.topics.contract import Capabilities, Position, RevokedCallback
from langstream.topics.kafka.admin import KafkaAdmin
from langstream.topics.kafka.catalogue import Catalogue
from langstream.topics.kafka.consumer import KafkaConsumer
from langstream.topics.kafka.failures import no_news, reason, topic_error
from langstream.topics.kafka.names import Names
from langstream.topics.kafka.producer import Encoder, KafkaProducer
from langstream.topics.kafka.publisher import KafkaPublisher
from langstream.topics.kafka.reader import KafkaReader
from langstream.topics.kafka.registry import SchemaRegistry
from langstream.topics.kafka.schemas import Schemas
from langstream.topics.kafka.sender import Sender
from langstream.topics.kafka.settings import ClientSettings
from langstream.topics.kafka.threads import Threads
from langstream.topics.kafka.transactions import Transactions, end_left_open, transactions_allowed

_REPEATED: Final = ("FAIL", "CONFWARN", "GETPID", "ERROR", "TXNERR")
AGAIN_SECONDS: Final = 60.0
"""The same trouble is told again after this time."""
CONNECT_SECONDS: Final = 15.0
CONNECT_ATTEMPT_SECONDS: Final = 0.5
TRANSACTION_MS: Final = "10000"
"""Readers of committed records wait so long for a transaction of a process that is gone for good."""
TRANSACTION_RETRY_MS: Final = "10"
"""The brokers refuse a transaction while they are still writing the marks of the one before, which takes milliseconds;
the client's own first pause, a tenth of a second, would be most of the time of one transaction in ten."""
PACE_SECONDS: Final = 0.02
READER_GROUP: Final = "langstream-reader"
"""The client asks for a group's name even of those who have none; nothing is stored under it."""

_log = logging.getLogger(__name__)
_client_log = logging.getLogger("langstream.topics.kafka.client")


class _ClientLog:
    """What the client logs by itself. Failed connections are told once by `_heard`, not at every attempt, and failed
    transactions by those who cannot repeat them."""

    def log(self, level: int, message: str, *arguments: object, **options: Any) -> None:
        """As `logging.Logger.log`."""
        text = message % arguments if arguments else message
        if text.startswith(_REPEATED):
            level = logging.DEBUG
        _client_log.log(level, "%s", text, **options)


class KafkaCluster:
    """See `TopicCluster`."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._threads = Threads()
        self._names = Names()
        self._opened: WeakSet[KafkaConsumer | KafkaReader | KafkaProducer | KafkaPublisher] = WeakSet()
        self._senders: dict[frozenset[tuple[str, str]], Sender] = {}
        self._transactions = False
        self._last_error: KafkaError | None = None
        self._told: dict[int, float] = {}
        self._schemas = Schemas(SchemaRegistry(settings.registry) if settings.registry else None)
        self._catalogue: Catalogue | None = None
        self._admin: KafkaAdmin | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Known once the cluster is started."""
        return Capabilities(self._transactions, durable=True, shared=True, pace_seconds=PACE_SECONDS)

    @property
    def admin(self) -> KafkaAdmin:
        """Topic administration."""
        return self._started()[1]

    async def start(self) -> None:
        """Connect, and find out whether transactions are allowed."""
        if self._admin is not None:
            return
        client = self._client(AdminClient, self._settings.admin())
        catalogue = Catalogue(client, self._threads)
        await self._connect(client)
        self._transactions = self._settings.exactly_once and await self._allowed()
        self._catalogue = catalogue
        self._admin = KafkaAdmin(client, partial(self._onlooker, stable=False), catalogue, self._schemas, self._threads)

    def consumer(
        self,
        topic: str,
        group: str,
        *,
        options: Mapping[str, Any] | None = None,
        on_revoked: RevokedCallback | None = None,
    ) -> KafkaConsumer:
        """A new member. `consumer.*` options are properties of its client."""
        catalogue, _ = self._started()
        properties = self._settings.consumer(group, options or {})
        consumer = KafkaConsumer(
            topic, group, lambda: self._client(Consumer, properties), catalogue, on_revoked, self._schemas.form(topic)
        )
        instance = properties.get("group.instance.id")
        if instance is not None:
            name = properties["group.instance.id"] = self._names.take(instance)
            consumer.when_closed = lambda: self._names.give_back(name)
        if self._transactions:
            transactional = partial(self._transactional, self._settings.producer({}))
            prefix = self._settings.transactional_id_prefix
            consumer.end_left_open = partial(end_left_open, transactional, prefix, group, self._names, self._threads)
        self._opened.add(consumer)
        return consumer

    def producer(self, *, options: Mapping[str, Any] | None = None) -> KafkaProducer:
        """A producer. `producer.*` options are properties of its clients."""
        catalogue, _ = self._started()
        properties = self._settings.producer(options or {})
        key = frozenset(properties.items())
        if key not in self._senders:
            self._senders[key] = Sender(lambda: self._client(Producer, properties), self._threads)
        transactions = Transactions(
            lambda name: self._transactional(properties, name),
            self._settings.transactional_id_prefix,
            self._names,
            self._threads,
        )
        producer = KafkaProducer(self._senders[key], transactions, catalogue, self._schemas)
        self._opened.add(producer)
        return producer

    def publisher(self, name: str, topic: str, *, options: Mapping[str, Any] | None = None) -> KafkaPublisher:
        """A publisher. `producer.*` options are properties of its client."""
        catalogue, _ = self._started()
        properties = self._settings.producer(options or {})
        publisher = KafkaPublisher(
            name,
            topic,
            lambda group: self._transactional(properties, f"{self._settings.transactional_id_prefix}-{group}"),
            self._onlooker,
            Encoder(catalogue, self._schemas),
            catalogue,
            self._threads,
        )
        self._opened.add(publisher)
        return publisher

    def reader(self, topic: str, position: Position) -> KafkaReader:
        """A reader."""
        catalogue, _ = self._started()
        properties = self._without_membership(READER_GROUP)
        make = lambda: self._client(Consumer, properties)  # noqa: E731 - shorter than a function
        reader = KafkaReader(topic, position, make, catalogue, self._schemas.form(topic))
        self._opened.add(reader)
        return reader

    async def close(self) -> None:
        """Close members, readers and producers, all at once."""
        opened, senders = list(self._opened), list(self._senders.values())
        self._senders.clear()
        closing = [*(each.close() for each in opened), *(sender.close() for sender in senders)]
        for result in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(result, Exception):
                _log.warning("closing the Kafka cluster: %s", result)
        self._catalogue = self._admin = None
        await self._schemas.close()
        await self._threads.close()

    # --- parts ------------------------------------------------------------------------------------------------------

    def _started(self) -> tuple[Catalogue, KafkaAdmin]:
        if self._catalogue is None or self._admin is None:
            raise RuntimeError("the cluster is not started: await cluster.start() first")
        return self._catalogue, self._admin

    def _client(self, kind: Any, properties: Mapping[str, str]) -> Any:
        """A client. Raises ApplicationRefused for properties that it does not take."""
        settings = {**properties, "error_cb": self._heard, "log.connection.close": "false"}
        try:
            return kind(settings, logger=_ClientLog())
        except KafkaException as error:
            found = reason(error)
            if found.code() == KafkaError._INVALID_ARG:
                raise ApplicationRefused([Problem(f"The Kafka client refuses its properties: {found.str()}")]) from None
            raise

    def _onlooker(self, group: str, stable: bool = True) -> Consumer:
        """A client that can ask what a group has committed, and never joins it.

        If `stable`, the brokers answer once no transaction with offsets of the group is open.
        """
        isolation = "read_committed" if stable else "read_uncommitted"
        consumer: Consumer = self._client(Consumer, {**self._without_membership(group), "isolation.level": isolation})
        return consumer

    def _without_membership(self, group: str) -> dict[str, str]:
        """For a consumer that joins no group."""
        properties = self._settings.consumer(group, {})
        properties.pop("group.instance.id", None)
        return properties

    def _transactional(self, properties: Mapping[str, str], name: str) -> Producer:
        own = {
            "transaction.timeout.ms": TRANSACTION_MS,
            "retry.backoff.ms": TRANSACTION_RETRY_MS,
            # Starting from the named brokers again, when none of those it knows answers, leaves transactions of
            # librdkafka 2.16 hanging for ever; a client that fails is made anew instead. All others do start again.
            "metadata.recovery.strategy": "none",
            **properties,
            "enable.idempotence": "true",
            "transactional.id": name,
        }
        most = int(own["transaction.timeout.ms"])
        for limit in ("socket.timeout.ms", "message.timeout.ms", "request.timeout.ms"):
            if limit in own:  # the client refuses transactions that end before their parts
                own[limit] = str(min(int(own[limit]), most))
        producer: Producer = self._client(Producer, own)
        return producer

    async def _allowed(self) -> bool:
        properties = self._settings.producer({})
        error = await transactions_allowed(
            lambda name: self._transactional(properties, name), self._settings.transactional_id_prefix, self._threads
        )
        if error is not None:
            _log.warning(
                "the Kafka cluster does not begin transactions (%s), so records are delivered at least once instead of "
                "exactly once; 'exactly-once: never' in the cluster's configuration accepts that",
                error.str(),
            )
        return error is None

    def _heard(self, error: KafkaError) -> None:
        """The client's news about connections; it goes on trying by itself."""
        if no_news(error):
            return
        self._last_error = error
        now = time.monotonic()
        if now - self._told.get(error.code(), -AGAIN_SECONDS) >= AGAIN_SECONDS:
            self._told[error.code()] = now
            _log.warning("Kafka at %s: %s; trying again", self._settings.servers, error.str())

    async def _connect(self, client: AdminClient) -> None:
        """Until a broker answers, or refuses: the client itself would go on for ever."""
        doing = f"connecting to Kafka at {self._settings.servers}"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CONNECT_SECONDS
        while True:
            try:
                await self._threads.run(client.list_topics, timeout=CONNECT_ATTEMPT_SECONDS)
                return
            except KafkaException as error:
                await self._threads.run(client.poll, 0)  # what it heard in the meantime
                failure = topic_error(self._last_error or error, doing)
                if not isinstance(failure, BrokerUnavailable) or loop.time() >= deadline:
                    raise failure from error
