"""Client properties as Java names them, for librdkafka: most are the same, some differ, some mean nothing here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

_RENAMED: Final = {
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "max.request.size": "message.max.bytes",
    "sasl.mechanisms": "sasl.mechanism",
}
_WITHOUT_MEANING: Final = frozenset({
    "auto.include.jmx.reporter", "buffer.memory", "default.api.timeout.ms", "exclude.internal.topics",
    "interceptor.classes", "key.deserializer", "key.serializer", "max.block.ms", "max.poll.records",
    "metric.reporters", "metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms",
    "partitioner.adaptive.partitioning.enable", "partitioner.class", "partitioner.ignore.keys",
    "sasl.client.callback.handler.class", "sasl.login.callback.handler.class", "sasl.login.class",
    "sasl.login.connect.timeout.ms", "sasl.login.read.timeout.ms", "sasl.login.refresh.buffer.seconds",
    "sasl.login.refresh.min.period.seconds", "sasl.login.refresh.window.factor",
    "sasl.login.refresh.window.jitter", "sasl.login.retry.backoff.max.ms", "sasl.login.retry.backoff.ms",
    "security.providers", "socket.connection.setup.timeout.max.ms", "ssl.enabled.protocols",
    "ssl.keymanager.algorithm", "ssl.protocol", "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm", "value.deserializer", "value.serializer", "bootstrap.controllers",
    "config.providers", "metadata.max.idle.ms", "partitioner.availability.timeout.ms",
    "sasl.kerberos.ticket.renew.jitter",
    "sasl.kerberos.ticket.renew.window.factor", "sasl.oauthbearer.clock.skew.seconds",
    "sasl.oauthbearer.expected.audience", "sasl.oauthbearer.expected.issuer", "sasl.oauthbearer.header.urlencode",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms", "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "sasl.oauthbearer.jwks.endpoint.url",
    "sasl.oauthbearer.scope.claim.name", "sasl.oauthbearer.sub.claim.name", "ssl.engine.factory.class", "ssl.provider",
    "transaction.two.phase.commit.enable",
})  # fmt: skip
"""What Java clients know and this one does not need."""
_MANAGED: Final = frozenset({
    "enable.auto.commit", "enable.auto.offset.store", "enable.partition.eof", "group.id", "transactional.id",
    "delivery.report.only.error", "go.delivery.reports",
})  # fmt: skip
"""What is decided by LangStream, since its promises depend on it."""
_REGISTRY: Final = (
    "schema.registry.",
    "basic.auth.",
    "bearer.auth.",
    "value.subject.name.strategy",
    "key.subject.name.strategy",
    "auto.register.schemas",
    "use.latest.version",
    "avro.",
    "json.",
    "specific.avro.",
)
"""Beginnings of the names of properties of the schema registry's clients."""
_COOPERATIVE: Final = "cooperative-sticky"
_ASSIGNORS: Final = {
    "RangeAssignor": "range",
    "RoundRobinAssignor": "roundrobin",
    "StickyAssignor": _COOPERATIVE,
    "CooperativeStickyAssignor": _COOPERATIVE,
}

_log = logging.getLogger(__name__)


def texts(properties: Mapping[str, Any]) -> dict[str, str]:
    """The properties as text, without those that are null."""
    return {
        str(name): str(value).lower() if isinstance(value, bool) else str(value).strip()
        for name, value in properties.items()
        if value is not None
    }


def client_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """In the client's names; what has no meaning here is left out, what is managed too, with a warning."""
    found: dict[str, str] = {}
    for name, value in properties.items():
        if name in _WITHOUT_MEANING or name.startswith(_REGISTRY):
            continue
        if name in _MANAGED:
            if name != "group.id":  # the planner has named the group by it
                _log.warning("the Kafka property '%s' is decided by LangStream; the setting is not used", name)
            continue
        if name.startswith("compression.") and name.endswith(".level"):  # Java has one for each kind of compression
            if properties.get("compression.type", "") in name.split("."):
                found["compression.level"] = value
            continue
        found[_RENAMED.get(name, name)] = _assignors(value) if name == "partition.assignment.strategy" else value
    return found


def side(options: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """The topic's options for the consumer or the producer (`consumer.` or `producer.`), without the prefix."""
    return texts({name[len(prefix) :]: value for name, value in options.items() if name.startswith(prefix)})


def _assignors(value: str) -> str:
    """This client does not mix strategies of both kinds, as Java's default does; the cooperative one is the better."""
    classes = [name.strip().rpartition(".")[2] for name in value.split(",")]
    names = [_ASSIGNORS.get(name, name) for name in classes]
    return _COOPERATIVE if _COOPERATIVE in names else ",".join(names)
