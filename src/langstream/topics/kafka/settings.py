"""Settings of the Kafka broker: `configuration.admin`, and the clients' properties that follow from it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import Field

from langstream.configuration.model import Configuration
from langstream.errors import ApplicationRefused, Problem
from langstream.topics.kafka.properties import client_properties, side, texts
from langstream.topics.kafka.registry import RegistrySettings, registry_settings
from langstream.topics.kafka.security import client_security

HOST: Final = "{host}"
"""Stands for the name of the host in `client.id` and `group.instance.id`."""

_COMMON: Final = {
    "client.id": "langstream",
    "allow.auto.create.topics": "false",
    "socket.keepalive.enable": "true",
    # A broker that is there but does not answer is given up after this time, and another one asked.
    "socket.timeout.ms": "10000",
}
_CONSUMER: Final = {
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": "10000",
    "heartbeat.interval.ms": "1000",
    "queued.min.messages": "20000",
    "queued.max.messages.kbytes": "32768",
    "fetch.queue.backoff.ms": "20",
}
_REJOIN_MS: Final = 45_000
"""How long a member waits for the answer to its request to join, and the brokers for members that do not come. A
request whose answer was lost, as happens when the group's coordinator moves, is repeated after it, not after Kafka's
five minutes. Slow records are no reason for more: the consumer polls however long they take.
"""
_CLASSIC: Final = frozenset({"partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"})
"""With `group.protocol: consumer` the brokers decide these."""
_PRODUCER: Final = {
    "enable.idempotence": "true",
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    "linger.ms": "2",
    "message.max.bytes": str(16 << 20),
    "queue.buffering.max.messages": "0",
    "request.timeout.ms": "10000",
}


class KafkaConfiguration(Configuration):
    """`streamingCluster.configuration` of an instance whose type is `kafka`."""

    admin: dict[str, Any] = Field(
        repr=False,
        description="Properties of the Kafka clients, under the names that Kafka's own clients give them; "
        "`bootstrap.servers` is needed.",
    )
    exactly_once: Literal["auto", "never"] = Field(
        default="auto",
        description="`auto` writes results and offsets in one transaction where the cluster allows it; `never` "
        "delivers at least once.",
    )
    transactional_id_prefix: str = Field(
        default="langstream", description="The ids of transactions begin with it; brokers with ACLs must allow it."
    )


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Properties for the clients. They hold passwords and stay out of representations."""

    common: Mapping[str, str] = field(repr=False)
    admin_properties: Mapping[str, str] = field(repr=False)
    exactly_once: bool
    transactional_id_prefix: str
    registry: RegistrySettings | None = field(default=None, repr=False)

    @property
    def servers(self) -> str:
        """The brokers to begin with, for messages."""
        return self.common["bootstrap.servers"]

    def admin(self) -> dict[str, str]:
        """For administration."""
        return {**_COMMON, **self.common}

    def consumer(self, group: str, options: Mapping[str, Any]) -> dict[str, str]:
        """For a member of the group. What the cluster sets wins over the topic's options."""
        own = {**_named(client_properties(side(options, "consumer."))), **self.common}
        protocol = own.get("group.protocol", "classic").lower()
        usual = {name: value for name, value in _CONSUMER.items() if protocol == "classic" or name not in _CLASSIC}
        session = own.get("session.timeout.ms", "")
        rejoin = max(_REJOIN_MS, int(session) if session.isdecimal() else 0)  # the client refuses less than a session
        return {
            **_COMMON,
            **usual,
            "max.poll.interval.ms": str(rejoin),
            **own,
            "group.id": group,
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "enable.partition.eof": "true",
        }

    def producer(self, options: Mapping[str, Any]) -> dict[str, str]:
        """For a producer. What the cluster sets wins over the topic's options."""
        return {**_COMMON, **_PRODUCER, **client_properties(side(options, "producer.")), **self.common}


def client_settings(configuration: KafkaConfiguration) -> ClientSettings:
    """Checked and translated. Raises ApplicationRefused with everything that is wrong."""
    properties = texts(configuration.admin)
    secured, problems = client_security(properties)
    if not secured.get("bootstrap.servers"):
        problems.append(
            Problem(
                "the Kafka cluster has no 'bootstrap.servers'",
                hint="Name a broker or several under 'configuration.admin', such as: bootstrap.servers: kafka:9092",
            )
        )
    if problems:
        raise ApplicationRefused(problems)
    common = {name: with_host(name, value) for name, value in client_properties(secured).items()}
    exactly_once = configuration.exactly_once == "auto"
    registry = registry_settings({**properties, **secured})
    return ClientSettings(common, properties, exactly_once, configuration.transactional_id_prefix, registry)


def with_host(name: str, value: str) -> str:
    """The value; with the name of the host filled in, where that makes a client known again."""
    return value.replace(HOST, socket.gethostname()) if name in ("client.id", "group.instance.id") else value


def _named(properties: Mapping[str, str]) -> dict[str, str]:
    return {name: with_host(name, value) for name, value in properties.items()}
