"""Settings and options as the Pulsar client takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import _pulsar

from langstream.topics.pulsar.options import EXCLUSIVE, KEY_SHARED, SHARED, ConsumerOptions, ProducerOptions, number
from langstream.topics.pulsar.schemas import Form
from langstream.topics.pulsar.security import Credentials, Tls

_TYPES: Final = {
    EXCLUSIVE: _pulsar.ConsumerType.Exclusive,
    KEY_SHARED: _pulsar.ConsumerType.KeyShared,
    SHARED: _pulsar.ConsumerType.Shared,
}


def client_configuration(properties: Mapping[str, Any], login: Credentials, tls: Tls) -> Any:
    """For the client. It is silent: what goes wrong comes back as results."""
    configuration = _pulsar.ClientConfiguration()
    authentication = _authentication(login)
    if authentication is not None:
        configuration.authentication(authentication)
    configuration.set_file_logger(_pulsar.LoggerLevel.Error, "/dev/null")
    configuration.operation_timeout_seconds(max(1, number(properties, "operationTimeoutMs", 30_000) // 1000))
    configuration.connection_timeout(number(properties, "connectionTimeoutMs", 10_000))
    configuration.io_threads(number(properties, "numIoThreads", 1))
    configuration.concurrent_lookup_requests(number(properties, "concurrentLookupRequest", 5_000))
    configuration.stats_interval_in_seconds(0)
    if properties.get("listenerName"):
        configuration.listener_name(str(properties["listenerName"]))
    configuration.tls_trust_certs_file_path(tls.trust or _usual_trust())
    configuration.tls_allow_insecure_connection(tls.insecure)
    configuration.tls_validate_hostname(tls.verify_host and not tls.insecure)
    if tls.certificate:
        configuration.tls_certificate_file_path(tls.certificate)
    if tls.key:
        configuration.tls_private_key_file_path(tls.key)
    return configuration


def consumer_configuration(options: ConsumerOptions, compacted: bool, member: str) -> Any:
    """For a member of a group, on one partition."""
    configuration = _pulsar.ConsumerConfiguration()
    configuration.consumer_type(_TYPES[options.subscription])
    if options.subscription == KEY_SHARED:
        policy = _pulsar.KeySharedPolicy()
        policy.set_key_shared_mode(_pulsar.KeySharedMode.AutoSplit)
        policy.set_allow_out_of_order_delivery(False)
        configuration.key_shared_policy(policy)
    configuration.consumer_name(member)
    position = _pulsar.InitialPosition
    configuration.subscription_initial_position(position.Latest if options.latest else position.Earliest)
    configuration.receiver_queue_size(options.receiver_queue_size)
    configuration.batch_index_ack_enabled(True)
    if options.subscription == EXCLUSIVE:  # the brokers keep compacted topics for those who read everything
        configuration.read_compacted(compacted or options.read_compacted)
    return configuration


def producer_configuration(options: ProducerOptions, form: Form | None) -> Any:
    """For a producer. Records larger than a broker takes at once are sent in pieces, unless batches are wanted."""
    configuration = _pulsar.ProducerConfiguration()
    configuration.batching_enabled(options.batching)
    if options.batching:
        configuration.batching_max_publish_delay_ms(options.batch_delay_ms)
        configuration.batching_max_messages(options.batch_messages)
        if options.batch_per_key:
            configuration.batching_type(_pulsar.BatchingType.KeyBased)
    else:
        configuration.chunking_enabled(options.chunking)
    configuration.send_timeout_millis(options.send_timeout_ms)
    if form is not None and form.presented:
        kind = getattr(_pulsar.SchemaType, form.kind)
        configuration.schema(_pulsar.SchemaInfo(kind, "langstream", form.text))
    configuration.max_pending_messages(0)  # what is under way is limited before it comes here
    configuration.compression_type(getattr(_pulsar.CompressionType, options.compression))
    return configuration


def _authentication(login: Credentials) -> Any:
    if login.kind == "none":
        return None
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
    return pulsar.AuthenticationAthenz(json.dumps(parameters)).auth


def _usual_trust() -> str:
    """The certificates that the system trusts."""
    import ssl

    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.openssl_cafile
