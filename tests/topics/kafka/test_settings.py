"""`configuration.admin` in the clients' own terms."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest

from langstream.errors import ApplicationRefused
from langstream.topics.kafka import open_cluster
from langstream.topics.kafka.settings import ClientSettings, KafkaConfiguration, client_settings

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
BEARER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"


def settings(**admin: Any) -> ClientSettings:
    properties = {name.replace("_", "."): value for name, value in admin.items()}
    return client_settings(KafkaConfiguration(admin={"bootstrap.servers": "kafka:9092", **properties}))


def refusal(**admin: Any) -> str:
    with pytest.raises(ApplicationRefused) as raised:
        settings(**admin)
    return str(raised.value)


def test_the_brokers_must_be_named() -> None:
    with pytest.raises(ApplicationRefused, match=r"bootstrap\.servers"):
        open_cluster({"admin": {}}, None)


def test_an_unknown_key_beside_admin_is_refused_with_what_is_near() -> None:
    with pytest.raises(ApplicationRefused, match="admin"):
        open_cluster({"admn": {"bootstrap.servers": "kafka:9092"}}, None)


def test_numbers_and_booleans_become_text_and_null_is_left_out() -> None:
    common = settings(socket_timeout_ms=1000, enable_metrics_push=False, client_rack=None).common
    assert common == {"bootstrap.servers": "kafka:9092", "socket.timeout.ms": "1000", "enable.metrics.push": "false"}


def test_names_that_differ_are_translated_and_java_s_own_are_left_out() -> None:
    common = settings(
        max_request_size=5_000_000, key_deserializer="org.apache.kafka.X", interceptor_classes="a.B", max_poll_records=1
    ).common
    assert common == {"bootstrap.servers": "kafka:9092", "message.max.bytes": "5000000"}


def test_the_cluster_s_properties_win_over_the_topic_s_options() -> None:
    consumer = settings(fetch_min_bytes=10).consumer("g", {"consumer.fetch.min.bytes": 5, "consumer.check.crcs": True})
    assert (consumer["fetch.min.bytes"], consumer["check.crcs"]) == ("10", "true")


def test_options_go_to_their_side() -> None:
    options = {"consumer.auto.offset.reset": "latest", "producer.linger.ms": 50, "replication-factor": 3}
    assert settings().consumer("g", options)["auto.offset.reset"] == "latest"
    assert "linger.ms" not in settings().consumer("g", options)
    assert settings().producer(options)["linger.ms"] == "50"
    assert "replication-factor" not in settings().producer(options)


def test_what_the_promises_rest_on_is_not_changed(caplog: pytest.LogCaptureFixture) -> None:
    options = {"consumer.enable.auto.commit": True, "consumer.group.id": "other"}
    with caplog.at_level(logging.WARNING):
        consumer = settings().consumer("g", options)
    assert (consumer["enable.auto.commit"], consumer["group.id"]) == ("false", "g")
    assert "enable.auto.commit" in caplog.text
    assert "group.id" not in caplog.text


def test_a_lost_answer_to_a_join_costs_45_seconds_and_not_less_than_a_session() -> None:
    assert settings().consumer("g", {})["max.poll.interval.ms"] == "45000"
    assert settings().consumer("g", {"consumer.session.timeout.ms": 90_000})["max.poll.interval.ms"] == "90000"
    assert settings().consumer("g", {"consumer.max.poll.interval.ms": 600_000})["max.poll.interval.ms"] == "600000"


def test_java_s_assignors_are_translated() -> None:
    name = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
    consumer = settings().consumer("g", {"consumer.partition.assignment.strategy": name})
    assert consumer["partition.assignment.strategy"] == "cooperative-sticky"


def test_the_host_can_be_part_of_a_member_s_name_and_of_nothing_else() -> None:
    found = settings(client_id="app-{host}", sasl_password="{host}").common
    assert found["client.id"] == f"app-{socket.gethostname()}"
    assert found["sasl.password"] == "{host}"


def test_plain_credentials_come_from_the_jaas_line() -> None:
    line = f'{PLAIN} required username="u" password="p";'
    common = settings(security_protocol="SASL_SSL", sasl_mechanism="PLAIN", sasl_jaas_config=line).common
    assert (common["sasl.username"], common["sasl.password"]) == ("u", "p")
    assert "sasl.jaas.config" not in common


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram_credentials_come_from_the_jaas_line(mechanism: str) -> None:
    line = f'{SCRAM} required username="u" password="p";'
    common = settings(security_protocol="SASL_SSL", sasl_mechanism=mechanism, sasl_jaas_config=line).common
    assert (common["sasl.mechanism"], common["sasl.username"]) == (mechanism, "u")


def test_the_mechanism_follows_from_the_login_module() -> None:
    line = f'{PLAIN} required username="u" password="p";'
    assert settings(security_protocol="SASL_SSL", sasl_jaas_config=line).common["sasl.mechanism"] == "PLAIN"


def test_oauth_credentials_and_extensions_come_from_the_jaas_line() -> None:
    line = (
        f'{BEARER} required clientId="c" clientSecret="s" scope="a b" extension_logicalCluster="lkc" extension_x="y";'
    )
    common = settings(
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_oauthbearer_token_endpoint_url="https://login/token",
        sasl_login_callback_handler_class="org.apache.kafka.X",
        sasl_jaas_config=line,
    ).common
    assert common["sasl.oauthbearer.method"] == "oidc"
    assert common["sasl.oauthbearer.client.id"] == "c"
    assert common["sasl.oauthbearer.client.secret"] == "s"
    assert common["sasl.oauthbearer.scope"] == "a b"
    assert common["sasl.oauthbearer.extensions"] == "logicalCluster=lkc,x=y"


def test_a_login_that_would_never_happen_is_refused() -> None:
    line = f'{PLAIN} required username="u" password="secret";'
    message = refusal(sasl_mechanism="PLAIN", sasl_jaas_config=line)
    assert "security.protocol" in message
    assert "secret" not in message


def test_missing_credentials_are_refused() -> None:
    assert "user name and a password" in refusal(security_protocol="SASL_SSL", sasl_mechanism="PLAIN")


def test_a_module_that_does_not_fit_the_mechanism_is_refused() -> None:
    line = f'{PLAIN} required username="u" password="p";'
    message = refusal(security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_jaas_config=line)
    assert "PlainLoginModule" in message


def test_an_unknown_login_module_is_refused() -> None:
    line = "software.amazon.msk.auth.iam.IAMLoginModule required;"
    assert "IAMLoginModule" in refusal(security_protocol="SASL_SSL", sasl_jaas_config=line)


def test_pem_stores_are_files_of_certificates() -> None:
    common = settings(
        security_protocol="SSL",
        ssl_truststore_type="PEM",
        ssl_truststore_location="/ca.pem",
        ssl_keystore_type="PEM",
        ssl_keystore_location="/me.pem",
        ssl_key_password="p",
    ).common
    assert common["ssl.ca.location"] == "/ca.pem"
    assert common["ssl.certificate.location"] == common["ssl.key.location"] == "/me.pem"
    assert common["ssl.key.password"] == "p"


def test_pem_text_is_taken_as_it_is() -> None:
    common = settings(
        ssl_truststore_certificates="CA", ssl_keystore_key="KEY", ssl_keystore_certificate_chain="CHAIN"
    ).common
    assert (common["ssl.ca.pem"], common["ssl.key.pem"], common["ssl.certificate.pem"]) == ("CA", "KEY", "CHAIN")


def test_a_pkcs12_key_store_is_known_by_its_name() -> None:
    common = settings(ssl_keystore_location="/me.p12", ssl_keystore_password="p").common
    assert (common["ssl.keystore.location"], common["ssl.keystore.password"]) == ("/me.p12", "p")


def test_java_key_stores_are_refused_with_what_to_do() -> None:
    message = refusal(ssl_truststore_location="/trust.jks", ssl_keystore_location="/me.jks", ssl_keystore_password="s3")
    assert "ssl.truststore.location" in message
    assert "ssl.keystore.location" in message
    assert "keytool" in message
    assert "s3" not in message


def test_checking_host_names_is_switched_off_as_java_does_it() -> None:
    assert settings(ssl_endpoint_identification_algorithm="").common["ssl.endpoint.identification.algorithm"] == "none"


def test_passwords_stay_out_of_representations() -> None:
    found = settings(sasl_username="u", sasl_password="secret")
    assert "secret" not in repr(found)
    assert "secret" not in repr(KafkaConfiguration(admin={"sasl.password": "secret"}))


def test_clients_that_lost_every_broker_they_know_start_again_from_the_named_ones() -> None:
    """A cluster whose brokers were all away for a while tells of none when it is back."""
    for properties in (settings().admin(), settings().consumer("g", {}), settings().producer({})):
        assert properties.get("metadata.recovery.strategy", "rebootstrap") == "rebootstrap"
