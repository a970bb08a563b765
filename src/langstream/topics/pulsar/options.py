"""What instances and topics may set of the clients, as Pulsar's Java clients name it, checked without the client."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langstream.configuration.validation import did_you_mean
from langstream.errors import ApplicationRefused, Problem

_CLIENT: Final = frozenset({
    "serviceUrl", "authPluginClassName", "authPlugin", "plugin", "authParams", "authParamMap", "params", "token",
    "tlsTrustCertsFilePath", "tlsAllowInsecureConnection", "tlsHostnameVerificationEnable",
    "enableTlsHostnameVerification", "tlsCertificateFilePath", "tlsKeyFilePath", "operationTimeoutMs", "numIoThreads",
    "connectionTimeoutMs", "concurrentLookupRequest", "listenerName",
})  # fmt: skip
_WITHOUT_MEANING: Final = frozenset({
    "numListenerThreads", "statsIntervalSeconds", "useTls", "useTcpNoDelay", "keepAliveIntervalSeconds",
    "useKeyStoreTls", "connectionsPerBroker", "maxLookupRequest", "maxLookupRedirects", "enableBusyWait",
    "maxNumberOfRejectedRequestPerConnection", "initialBackoffIntervalNanos", "maxBackoffIntervalNanos",
    "memoryLimitBytes", "enableTransaction", "requestTimeoutMs", "readTimeoutMs", "autoCertRefreshSeconds",
    "tlsProtocols", "tlsCiphers", "sslProvider", "lookupTimeoutMs", "connectionMaxIdleSeconds", "proxyServiceUrl",
    "proxyProtocol", "description",
})  # fmt: skip
"""What Java clients know and this one does not need."""
_CONSUMER: Final = frozenset({
    "subscriptionType", "subscriptionInitialPosition", "receiverQueueSize", "readCompacted", "auto.offset.reset",
})  # fmt: skip
_PRODUCER: Final = frozenset({
    "batchingEnabled", "batchingMaxPublishDelayMicros", "batchingMaxMessages", "chunkingEnabled", "sendTimeoutMs",
    "batcherBuilder", "compressionType",
})  # fmt: skip
_MANAGED: Final = frozenset({
    "topicNames", "topicName", "consumerName", "producerName", "topicsPattern", "schema",
    "messageRoutingMode", "hashingScheme", "blockIfQueueFull", "ackTimeoutMillis", "acknowledgementsGroupTimeMicros",
    "batchIndexAckEnabled", "accessMode", "negativeAckRedeliveryDelayMicros", "deadLetterPolicy", "cryptoKeyReader",
})  # fmt: skip
"""What is decided by LangStream, since its promises depend on it."""
_NAMES_OF_GROUPS: Final = frozenset({"subscriptionName", "group.id"})
"""By these the planner has named the group."""
EXCLUSIVE: Final = "Exclusive"
KEY_SHARED: Final = "Key_Shared"
SHARED: Final = "Shared"
SUBSCRIPTIONS: Final = (EXCLUSIVE, KEY_SHARED, SHARED)
"""As Pulsar writes them."""
SHARED_QUEUE: Final = 200
"""What one member has read ahead, the others do not get."""
BATCHERS: Final = ("DEFAULT", "KEY_BASED")
COMPRESSION: Final = ("NONE", "LZ4", "ZLIB", "ZSTD", "SNAPPY")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """Of members of groups."""

    latest: bool = False
    receiver_queue_size: int = 1_000
    read_compacted: bool = False
    subscription: str = EXCLUSIVE


@dataclass(frozen=True, slots=True)
class ProducerOptions:
    """Without batches each record can be committed by itself, whatever the brokers allow."""

    batching: bool = False
    batch_delay_ms: int = 2
    batch_messages: int = 1_000
    batch_per_key: bool = False
    chunking: bool = True
    send_timeout_ms: int = 30_000
    compression: str = "NONE"


_CONSUMER_DEFAULTS: Final = ConsumerOptions()
_PRODUCER_DEFAULTS: Final = ProducerOptions()


def check_client(properties: Mapping[str, Any], place: str) -> list[Problem]:
    """The properties of an instance that no client knows."""
    known = _CLIENT | _WITHOUT_MEANING
    return [
        Problem(f"'{place}' has the unknown property '{name}'", hint=did_you_mean(name, known) or None)
        for name in properties
        if name not in known
    ]


def consumer_options(options: Mapping[str, Any]) -> ConsumerOptions:
    """The `consumer.*` options of a topic. Raises ApplicationRefused for wrong values."""
    given = _side(options, "consumer.", _CONSUMER)
    latest = str(given.get("subscriptionInitialPosition", given.get("auto.offset.reset", ""))).lower() == "latest"
    subscription = _subscription(given.get("subscriptionType"))
    usual = _CONSUMER_DEFAULTS.receiver_queue_size if subscription == EXCLUSIVE else SHARED_QUEUE
    compacted = _true(given.get("readCompacted"))
    if compacted and subscription != EXCLUSIVE:
        raise ApplicationRefused(
            [
                Problem(
                    f"the Pulsar property 'readCompacted' does not go with 'subscriptionType' {subscription}",
                    hint=f"Only a member that owns its partitions can read them compacted: choose {EXCLUSIVE}.",
                )
            ]
        )
    return ConsumerOptions(latest, max(1, number(given, "receiverQueueSize", usual)), compacted, subscription)


def producer_options(options: Mapping[str, Any]) -> ProducerOptions:
    """The `producer.*` options of a topic. Raises ApplicationRefused for wrong values."""
    given = _side(options, "producer.", _PRODUCER)
    compression = _choice(given, "compressionType", COMPRESSION)
    delay = number(given, "batchingMaxPublishDelayMicros", _PRODUCER_DEFAULTS.batch_delay_ms * 1_000)
    return ProducerOptions(
        batching=_true(given.get("batchingEnabled")),
        batch_delay_ms=max(1, delay // 1_000),
        batch_per_key=_batch_per_key(given, options),
        batch_messages=max(1, number(given, "batchingMaxMessages", _PRODUCER_DEFAULTS.batch_messages)),
        chunking=_true(given.get("chunkingEnabled", True)),
        send_timeout_ms=max(1, number(given, "sendTimeoutMs", _PRODUCER_DEFAULTS.send_timeout_ms)),
        compression=compression,
    )


def number(properties: Mapping[str, Any], name: str, otherwise: int) -> int:
    """A property that is a whole number. Raises ApplicationRefused for others."""
    given = properties.get(name)
    if given is None:
        return otherwise
    try:
        return int(given)
    except (TypeError, ValueError):
        raise ApplicationRefused(
            [Problem(f"the Pulsar property '{name}' is {given!r}", hint="Expected a whole number.")]
        ) from None


def _subscription(given: Any) -> str:
    """The type, however it is written."""
    plain = {kind.replace("_", "").lower(): kind for kind in SUBSCRIPTIONS}
    wanted = str(EXCLUSIVE if given is None else given).replace("-", "").replace("_", "").strip().lower()
    if wanted in plain:
        return plain[wanted]
    hint = f"Expected one of {', '.join(SUBSCRIPTIONS)}."
    if wanted == "failover":
        hint += f" With {EXCLUSIVE}, members take each other's partitions over by themselves."
    raise ApplicationRefused([Problem(f"the Pulsar property 'subscriptionType' is {given!r}", hint=hint)])


def _batch_per_key(given: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """A batch goes to one member as a whole, so where keys choose the member it must not mix them."""
    if given.get("batcherBuilder") is None:
        return _subscription(options.get("consumer.subscriptionType")) == KEY_SHARED
    return _choice(given, "batcherBuilder", BATCHERS) == "KEY_BASED"


def _choice(given: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    """One of the choices, the first unless something is given. Raises ApplicationRefused for others."""
    chosen = str(given.get(name, choices[0])).upper()
    if chosen not in choices:
        raise ApplicationRefused(
            [Problem(f"the Pulsar property '{name}' is {given[name]!r}", hint=f"Expected one of {', '.join(choices)}.")]
        )
    return chosen


def _side(options: Mapping[str, Any], prefix: str, known: frozenset[str]) -> dict[str, Any]:
    """Options of other brokers stay in the application's files when it moves here, so they are told and left out."""
    given = {name[len(prefix) :]: value for name, value in options.items() if name.startswith(prefix)}
    for name in given:
        if name in _MANAGED:
            _log.warning("the Pulsar property '%s' is decided by LangStream; the setting is not used", name)
        elif name not in known and name not in _NAMES_OF_GROUPS:
            _log.warning("the option '%s%s' means nothing on Pulsar. %s", prefix, name, did_you_mean(name, known) or "")
    return given


def _true(value: Any) -> bool:
    return str(value).strip().lower() == "true"
