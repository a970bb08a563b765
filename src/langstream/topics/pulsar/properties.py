"""Client properties as Pulsar's Java clients name them, for the client in use here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import _pulsar

from langstream.configuration.validation import did_you_mean
from langstream.errors import ApplicationRefused, Problem
from langstream.topics.pulsar.security import Credentials, Tls

_KNOWN_CLIENT: Final = frozenset({
    "serviceUrl", "authPluginClassName", "authPlugin", "plugin", "authParams", "authParamMap", "params", "token",
    "tlsTrustCertsFilePath", "tlsAllowInsecureConnection", "tlsHostnameVerificationEnable",
    "enableTlsHostnameVerification", "tlsCertificateFilePath", "tlsKeyFilePath", "operationTimeoutMs", "numIoThreads",
    "connectionTimeoutMs", "concurrentLookupRequest", "listenerName",
})  # fmt: skip
_WITHOUT_MEANING: Final = frozenset({
    "numListenerThreads", "statsIntervalSeconds", "useTls", "useTcpNoDelay", "keepAliveIntervalSeconds",
    "useKeyStoreTls",
    "connectionsPerBroker", "maxLookupRequest", "maxLookupRedirects", "maxNumberOfRejectedRequestPerConnection",
    "initialBackoffIntervalNanos", "maxBackoffIntervalNanos", "enableBusyWait", "memoryLimitBytes", "enableTransaction",
    "requestTimeoutMs", "readTimeoutMs", "autoCertRefreshSeconds", "tlsProtocols", "tlsCiphers", "sslProvider",
    "lookupTimeoutMs", "connectionMaxIdleSeconds", "proxyServiceUrl", "proxyProtocol", "description",
})  # fmt: skip
_COMPRESSION: Final = ("NONE", "LZ4", "ZLIB", "ZSTD", "SNAPPY")
_MANAGED: Final = frozenset({
    "topicNames", "topicName", "subscriptionName", "subscriptionType", "consumerName", "producerName", "topicsPattern",
    "messageRoutingMode", "hashingScheme", "blockIfQueueFull", "ackTimeoutMillis", "acknowledgementsGroupTimeMicros",
    "batchIndexAckEnabled", "accessMode", "schema", "negativeAckRedeliveryDelayMicros", "deadLetterPolicy",
})  # fmt: skip
"""What is decided by LangStream, since its promises depend on it."""


def check_client(properties: Mapping[str, Any], place: str) -> list[Problem]:
    """What the clients do not know."""
    known = _KNOWN_CLIENT | _WITHOUT_MEANING
    return [
        Problem(f"'{place}' has the unknown property '{name}'", hint=did_you_mean(name, known) or None)
        for name in properties
        if name not in known
    ]


def client_configuration(properties: Mapping[str, Any], login: Credentials, tls: Tls) -> Any:
    """For the client. It is silent: what goes wrong comes back as results."""
    configuration = _pulsar.ClientConfiguration()
    authentication = _authentication(login)
    if authentication is not None:
        configuration.authentication(authentication)
    configuration.set_file_logger(_pulsar.LoggerLevel.Error, "/dev/null")
    configuration.operation_timeout_seconds(max(1, _number(properties, "operationTimeoutMs", 30_000) // 1000))
    configuration.connection_timeout(_number(properties, "connectionTimeoutMs", 10_000))
    configuration.io_threads(_number(properties, "numIoThreads", 1))
    configuration.concurrent_lookup_requests(_number(properties, "concurrentLookupRequest", 5_000))
    configuration.stats_interval_in_seconds(0)
    if properties.get("listenerName"):
        configuration.listener_name(str(properties["listenerName"]))
    if tls.trust:
        configuration.tls_trust_certs_file_path(tls.trust)
    configuration.tls_allow_insecure_connection(tls.insecure)
    configuration.tls_validate_hostname(tls.verify_host and not tls.insecure)
    if tls.certificate:
        configuration.tls_certificate_file_path(tls.certificate)
    if tls.key:
        configuration.tls_private_key_file_path(tls.key)
    return configuration


def consumer_configuration(options: Mapping[str, Any], compacted: bool) -> Any:
    """For an owner of a partition."""
    properties = _side(options, "consumer.")
    configuration = _pulsar.ConsumerConfiguration()
    configuration.consumer_type(_pulsar.ConsumerType.Exclusive)
    latest = str(properties.get("subscriptionInitialPosition", "Earliest")).lower() == "latest"
    position = _pulsar.InitialPosition
    configuration.subscription_initial_position(position.Latest if latest else position.Earliest)
    configuration.receiver_queue_size(max(1, _number(properties, "receiverQueueSize", 1_000)))
    configuration.batch_index_ack_enabled(True)
    configuration.read_compacted(compacted or str(properties.get("readCompacted")).lower() == "true")
    return configuration


def producer_configuration(options: Mapping[str, Any]) -> Any:
    """For a producer. Without batches every record can be committed by itself; large records are sent in pieces."""
    properties = _side(options, "producer.")
    configuration = _pulsar.ProducerConfiguration()
    batching = str(properties.get("batchingEnabled", "false")).lower() == "true"
    configuration.batching_enabled(batching)
    if batching:
        delay = _number(properties, "batchingMaxPublishDelayMicros", 2_000) // 1000
        configuration.batching_max_publish_delay_ms(max(1, delay))
        configuration.batching_max_messages(_number(properties, "batchingMaxMessages", 1_000))
    else:
        configuration.chunking_enabled(str(properties.get("chunkingEnabled", "true")).lower() == "true")
    configuration.send_timeout_millis(_number(properties, "sendTimeoutMs", 30_000))
    configuration.max_pending_messages(0)  # what is under way is limited before it comes here
    compression = str(properties.get("compressionType", "LZ4")).upper()
    configuration.compression_type(
        getattr(_pulsar.CompressionType, compression if compression in _COMPRESSION else "LZ4")
    )
    return configuration


def _authentication(login: Credentials) -> Any:
    import json

    import pulsar

    parameters = dict(login.parameters)
    if login.kind == "token":
        return pulsar.AuthenticationToken(login.token).auth
    if login.kind == "tls":
        return pulsar.AuthenticationTLS(parameters["tlsCertFile"], parameters.get("tlsKeyFile", "")).auth
    if login.kind == "basic":
        return pulsar.AuthenticationBasic(parameters["userId"], parameters.get("password", "")).auth
    if login.kind == "oauth2":
        names = {"issuerUrl": "issuer_url", "privateKey": "private_key"}
        told = {names.get(name, name): value for name, value in parameters.items()}
        return pulsar.AuthenticationOauth2(json.dumps({"type": "client_credentials", **told})).auth
    if login.kind == "athenz":
        return pulsar.AuthenticationAthenz(json.dumps(parameters)).auth
    return None


def _side(options: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name[len(prefix) :]: value for name, value in options.items() if name.startswith(prefix)}


def _number(properties: Mapping[str, Any], name: str, otherwise: int) -> int:
    given = properties.get(name)
    if given is None:
        return otherwise
    try:
        return int(given)
    except (TypeError, ValueError):
        raise ApplicationRefused(
            [Problem(f"the Pulsar property '{name}' is {given!r}", hint="Expected a whole number.")]
        ) from None
