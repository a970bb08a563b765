"""Every property of Java's clients is understood, left out on purpose, or translated; none is refused."""

from __future__ import annotations

from typing import Any, Final

import pytest
from confluent_kafka import Consumer, Producer

from langstream.topics.kafka.settings import ClientSettings, KafkaConfiguration, client_settings

JAVA: Final = {
    "acks": "all",
    "allow.auto.create.topics": "true",
    "auto.commit.interval.ms": "5000",
    "auto.include.jmx.reporter": "true",
    "auto.offset.reset": "latest",
    "batch.size": "16384",
    "bootstrap.controllers": "",
    "buffer.memory": "33554432",
    "check.crcs": "true",
    "client.dns.lookup": "use_all_dns_ips",
    "client.id": "x",
    "client.rack": "r",
    "compression.gzip.level": "-1",
    "compression.lz4.level": "9",
    "compression.type": "zstd",
    "compression.zstd.level": "3",
    "config.providers": "x",
    "connections.max.idle.ms": "540000",
    "default.api.timeout.ms": "60000",
    "delivery.timeout.ms": "120000",
    "enable.idempotence": "true",
    "enable.metrics.push": "true",
    "exclude.internal.topics": "true",
    "fetch.max.bytes": "52428800",
    "fetch.max.wait.ms": "500",
    "fetch.min.bytes": "1",
    "group.instance.id": "i",
    "group.protocol": "classic",
    "group.remote.assignor": "uniform",
    "heartbeat.interval.ms": "3000",
    "interceptor.classes": "",
    "isolation.level": "read_committed",
    "key.deserializer": "a",
    "key.serializer": "x",
    "linger.ms": "5",
    "max.block.ms": "60000",
    "max.in.flight.requests.per.connection": "5",
    "max.partition.fetch.bytes": "1048576",
    "max.poll.interval.ms": "300000",
    "max.poll.records": "500",
    "max.request.size": "1048576",
    "metadata.max.age.ms": "300000",
    "metadata.max.idle.ms": "300000",
    "metadata.recovery.rebootstrap.trigger.ms": "300000",
    "metadata.recovery.strategy": "rebootstrap",
    "metric.reporters": "",
    "metrics.num.samples": "2",
    "metrics.recording.level": "INFO",
    "metrics.sample.window.ms": "30000",
    "partition.assignment.strategy": "RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
    "partitioner.adaptive.partitioning.enable": "true",
    "partitioner.availability.timeout.ms": "0",
    "partitioner.class": "x",
    "partitioner.ignore.keys": "false",
    "receive.buffer.bytes": "65536",
    "reconnect.backoff.max.ms": "1000",
    "reconnect.backoff.ms": "50",
    "request.timeout.ms": "30000",
    "retries": "2147483647",
    "retry.backoff.max.ms": "1000",
    "retry.backoff.ms": "100",
    "sasl.client.callback.handler.class": "x",
    "sasl.kerberos.kinit.cmd": "/usr/bin/kinit",
    "sasl.kerberos.min.time.before.relogin": "60000",
    "sasl.kerberos.service.name": "kafka",
    "sasl.kerberos.ticket.renew.jitter": "0.05",
    "sasl.kerberos.ticket.renew.window.factor": "0.8",
    "sasl.login.callback.handler.class": "x",
    "sasl.login.class": "x",
    "sasl.login.connect.timeout.ms": "1",
    "sasl.login.read.timeout.ms": "1",
    "sasl.login.refresh.buffer.seconds": "300",
    "sasl.login.refresh.min.period.seconds": "60",
    "sasl.login.refresh.window.factor": "0.8",
    "sasl.login.refresh.window.jitter": "0.05",
    "sasl.login.retry.backoff.max.ms": "10000",
    "sasl.login.retry.backoff.ms": "100",
    "sasl.oauthbearer.clock.skew.seconds": "30",
    "sasl.oauthbearer.expected.audience": "a",
    "sasl.oauthbearer.expected.issuer": "a",
    "sasl.oauthbearer.header.urlencode": "false",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": "3600000",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": "1",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": "1",
    "sasl.oauthbearer.jwks.endpoint.url": "http://x",
    "sasl.oauthbearer.scope.claim.name": "scope",
    "sasl.oauthbearer.sub.claim.name": "sub",
    "security.protocol": "PLAINTEXT",
    "security.providers": "x",
    "send.buffer.bytes": "131072",
    "session.timeout.ms": "45000",
    "share.acknowledgement.mode": "implicit",
    "socket.connection.setup.timeout.max.ms": "30000",
    "socket.connection.setup.timeout.ms": "10000",
    "ssl.cipher.suites": "TLS_AES_256_GCM_SHA384",
    "ssl.enabled.protocols": "TLSv1.2,TLSv1.3",
    "ssl.endpoint.identification.algorithm": "https",
    "ssl.engine.factory.class": "x",
    "ssl.key.password": "p",
    "ssl.keymanager.algorithm": "SunX509",
    "ssl.keystore.password": "p",
    "ssl.keystore.type": "PEM",
    "ssl.protocol": "TLSv1.3",
    "ssl.provider": "x",
    "ssl.secure.random.implementation": "x",
    "ssl.trustmanager.algorithm": "PKIX",
    "ssl.truststore.password": "x",
    "ssl.truststore.type": "PEM",
    "transaction.timeout.ms": "60000",
    "transaction.two.phase.commit.enable": "false",
    "value.deserializer": "x",
    "value.serializer": "x",
}
"""Names of Kafka 4.1 with values that mean nothing special."""


def settings(properties: dict[str, Any]) -> ClientSettings:
    return client_settings(KafkaConfiguration(admin={"bootstrap.servers": "127.0.0.1:1", **properties}))


def test_no_property_of_java_is_refused_by_the_client() -> None:
    for name, value in JAVA.items():
        made = settings({name: value})
        Consumer({**made.consumer("group", {}), "log_level": 0}).close()
        Producer({**made.producer({}), "log_level": 0})


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ("org.apache.kafka.clients.consumer.RangeAssignor", "range"),
        ("RangeAssignor, org.apache.kafka.clients.consumer.CooperativeStickyAssignor", "cooperative-sticky"),
        ("org.apache.kafka.clients.consumer.RoundRobinAssignor,RangeAssignor", "roundrobin,range"),
    ],
)
def test_strategies_of_assignment_are_named_as_the_client_names_them(given: str, ours: str) -> None:
    consumer = settings({"partition.assignment.strategy": given}).consumer("group", {})
    assert consumer["partition.assignment.strategy"] == ours


def test_the_level_of_the_chosen_compression_counts() -> None:
    levels = {"compression.type": "zstd", "compression.zstd.level": "7", "compression.gzip.level": "9"}
    producer = settings(levels).producer({})
    assert (producer["compression.type"], producer["compression.level"]) == ("zstd", "7")


def test_the_newer_protocol_of_groups_leaves_their_times_to_the_brokers() -> None:
    consumer = settings({"group.protocol": "consumer"}).consumer("group", {})
    assert not {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"} & set(consumer)
    Consumer({**consumer, "log_level": 0}).close()
