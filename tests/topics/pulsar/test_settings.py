"""Settings of the broker, credentials, options of topics, policies, backlogs and groups: without a broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from langstream.configuration.validation import check
from langstream.errors import ApplicationRefused
from langstream.topics.pulsar import open_cluster
from langstream.topics.pulsar.backlog import entries, entries_after, marked, records_per_entry
from langstream.topics.pulsar.group import view
from langstream.topics.pulsar.names import Namespace, short_names
from langstream.topics.pulsar.options import ConsumerOptions, ProducerOptions, consumer_options, producer_options
from langstream.topics.pulsar.policies import DEFAULT_RETENTION, Policies, described, policies_of
from langstream.topics.pulsar.settings import ClusterSettings, PulsarConfiguration, cluster_settings, in_kebab_case


def settings(**configuration: Any) -> ClusterSettings:
    checked, problems = check(PulsarConfiguration, in_kebab_case(configuration), subject="it")
    assert checked is not None, problems
    return cluster_settings(checked)


def test_nothing_has_to_be_said() -> None:
    found = settings()
    assert (found.service_url, found.admin_urls) == ("pulsar://localhost:6650", ("http://localhost:8080",))
    assert (found.tenant, found.namespace, found.retention) == ("public", "public", None)


def test_names_of_the_original_s_documentation_are_accepted() -> None:
    found = settings(defaultTenant="t", defaultNamespace="n", defaultRetentionPolicies={"retentionTimeInMinutes": "5"})
    assert (found.tenant, found.namespace) == ("t", "n")
    assert found.retention is not None
    assert (found.retention.retention_time_in_minutes, found.retention.retention_size_in_mb) == (5, None)


def test_several_hosts_can_be_named() -> None:
    assert settings(admin={"serviceUrl": "https://a:8443, b:8443/"}).admin_urls == ("https://a:8443", "https://b:8443")


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"service": {"serviceUrl": "http://a"}}, "service.serviceUrl.*pulsar://"),
        ({"admin": {"serviceUrl": "pulsar://a"}}, "admin.serviceUrl.*http://"),
        ({"service": {"servicUrl": "pulsar://a"}}, "'servicUrl'.*serviceUrl"),
        ({"tenant": "a"}, "tenant"),
        (
            {"authentication": {"authPluginClassName": "x.AuthenticationTokn"}},
            "AuthenticationTokn.*AuthenticationToken",
        ),
        ({"authentication": {"authParams": "secret-text"}}, "authPluginClassName"),
        ({"authentication": {"plugin": "basic", "params": {"password": "secret-text"}}}, "userId"),
        ({"authentication": {"plugin": "oauth2", "params": '{"privateKey": "secret-text"}'}}, "issuerUrl"),
        ({"default-retention-policies": {"retention-time-in-minutes": -2}}, "retention-time-in-minutes"),
    ],
)
def test_what_is_wrong_is_told_without_secrets(configuration: dict[str, Any], told: str) -> None:
    with pytest.raises(ApplicationRefused, match=f"(?s){told}") as raised:
        open_cluster(configuration, None)
    assert "secret-text" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "kind", "parameters"),
    [
        ({"token": "abc"}, "token", {"token": "abc"}),
        ({"authPlugin": "token", "authParams": "token:abc"}, "token", {"token": "abc"}),
        ({"authPluginClassName": "a.b.AuthenticationToken", "authParams": "file:///p/t"}, "token", {"file": "/p/t"}),
        ({"plugin": "AuthenticationBasic", "authParams": '{"userId": "u"}'}, "basic", {"userId": "u"}),
        (
            {"plugin": "AuthenticationTls", "authParams": "tlsCertFile:/c,tlsKeyFile:/k"},
            "tls",
            {"tlsCertFile": "/c", "tlsKeyFile": "/k"},
        ),
        ({"plugin": "athenz", "authParamMap": {"tenantDomain": "d"}}, "athenz", {"tenantDomain": "d"}),
    ],
)
def test_credentials_are_understood_in_every_form(given: dict[str, Any], kind: str, parameters: Any) -> None:
    found = settings(authentication=given)
    assert (found.service_login.kind, found.service_login.parameters) == (kind, parameters)
    assert found.admin_login == found.service_login
    assert "abc" not in repr(found)


def test_the_certificate_of_the_login_serves_administration_too() -> None:
    found = settings(authentication={"plugin": "tls", "params": "tlsCertFile:/c,tlsKeyFile:/k"})
    assert (found.admin_tls.certificate, found.admin_tls.key, found.admin_tls.verify_host) == ("/c", "/k", True)


def test_a_token_in_a_file_may_change(tmp_path: Path) -> None:
    place = tmp_path / "token"
    place.write_text("first\n")
    login = settings(authentication={"plugin": "token", "params": f"file://{place}"}).admin_login
    assert login.token() == "first"
    place.write_text("second\n")
    assert login.token() == "second"


# --- options --------------------------------------------------------------------------------------------------------


def test_options_are_java_s_and_those_of_kafka_that_mean_the_same() -> None:
    assert consumer_options({}) == ConsumerOptions()
    assert consumer_options({"consumer.auto.offset.reset": "latest"}) == ConsumerOptions(latest=True)
    assert consumer_options({"consumer.receiverQueueSize": "7", "consumer.readCompacted": True}) == ConsumerOptions(
        receiver_queue_size=7, read_compacted=True
    )
    assert producer_options({"producer.batchingEnabled": "true", "consumer.x": 1}) == ProducerOptions(batching=True)


def test_options_without_meaning_are_told_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert consumer_options({"consumer.recieverQueueSize": 7}) == ConsumerOptions()
    assert "receiverQueueSize" in caplog.text
    caplog.clear()
    assert consumer_options({"consumer.consumerName": "mine"}) == ConsumerOptions()
    assert "decided by LangStream" in caplog.text
    caplog.clear()
    consumer_options({"consumer.subscriptionName": "mine"})
    assert not caplog.text


@pytest.mark.parametrize("name", ["compressionType", "sendTimeoutMs", "batchingMaxMessages", "batcherBuilder"])
def test_wrong_values_of_options_are_refused(name: str) -> None:
    with pytest.raises(ApplicationRefused, match=name):
        producer_options({f"producer.{name}": "much"})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("Exclusive", "Exclusive"),
        ("key-shared", "Key_Shared"),
        ("Key_Shared", "Key_Shared"),
        ("KEYSHARED", "Key_Shared"),
        (" shared ", "Shared"),
    ],
)
def test_subscription_types_are_found_however_they_are_written(given: str, found: str) -> None:
    assert consumer_options({"consumer.subscriptionType": given}).subscription == found


@pytest.mark.parametrize(("given", "hint"), [("Failover", "take each other's partitions over"), ("keys", "Key_Shared")])
def test_other_subscription_types_are_refused(given: str, hint: str) -> None:
    with pytest.raises(ApplicationRefused, match=f"'subscriptionType' is '{given}'(.|\n)*Exclusive(.|\n)*{hint}"):
        consumer_options({"consumer.subscriptionType": given})


def test_members_that_share_partitions_read_little_ahead() -> None:
    assert consumer_options({"consumer.subscriptionType": "Shared"}).receiver_queue_size == 200
    assert consumer_options(
        {"consumer.subscriptionType": "Shared", "consumer.receiverQueueSize": 7}
    ) == ConsumerOptions(receiver_queue_size=7, subscription="Shared")


def test_members_that_share_partitions_cannot_read_them_compacted() -> None:
    with pytest.raises(ApplicationRefused, match=r"'readCompacted' does not go with 'subscriptionType' Key_Shared"):
        consumer_options({"consumer.subscriptionType": "key-shared", "consumer.readCompacted": True})


@pytest.mark.parametrize(
    ("options", "per_key"),
    [
        ({}, False),
        ({"consumer.subscriptionType": "Shared"}, False),
        ({"consumer.subscriptionType": "key-shared"}, True),
        ({"producer.batcherBuilder": "key_based"}, True),
        ({"producer.batcherBuilder": "DEFAULT", "consumer.subscriptionType": "Key_Shared"}, False),
    ],
)
def test_batches_are_kept_per_key_where_keys_choose_the_member(options: dict[str, Any], per_key: bool) -> None:
    assert producer_options({"producer.batchingEnabled": True, **options}).batch_per_key == per_key


# --- policies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "inherited", "policies"),
    [
        ({}, None, {"retention": DEFAULT_RETENTION}),
        ({}, {"retentionTimeInMinutes": 0, "retentionSizeInMB": 0}, {"retention": DEFAULT_RETENTION}),
        ({}, {"retentionTimeInMinutes": 5, "retentionSizeInMB": -1}, {}),
        (
            {"retention.ms": "60001"},
            {"retentionTimeInMinutes": 5, "retentionSizeInMB": -1},
            {"retention": {"retentionTimeInMinutes": 2, "retentionSizeInMB": -1}},
        ),
        (
            {"retention.bytes": "1", "retention.ms": "-1"},
            None,
            {"retention": {"retentionTimeInMinutes": -1, "retentionSizeInMB": 1}},
        ),
    ],
)
def test_settings_become_policies(config: dict[str, str], inherited: Any, policies: Any) -> None:
    assert policies_of("t", config, Policies(inherited, kept=True)) == policies


def test_topics_stay_when_nobody_uses_them() -> None:
    found = policies_of("t", {}, Policies({"retentionTimeInMinutes": 5, "retentionSizeInMB": -1}))
    assert found["inactiveTopicPolicies"]["deleteWhileInactive"] is False


def test_policies_become_settings() -> None:
    assert described(None, None) == {}
    assert described({"retentionTimeInMinutes": -1, "retentionSizeInMB": 2}, 5) == {
        "retention.ms": "-1",
        "retention.bytes": "2097152",
        "cleanup.policy": "compact",
    }


# --- what the administration interface tells ------------------------------------------------------------------------

LEDGERS = {
    "ledgers": [{"ledgerId": 2, "entries": 10}, {"ledgerId": 5, "entries": 4}, {"ledgerId": 9, "entries": 0}],
    "currentLedgerEntries": 3,
    "entriesAddedCounter": 3,
    "cursors": {"g": {"markDeletePosition": "5:1"}},
}


def test_entries_are_counted_across_ledgers() -> None:
    assert entries(LEDGERS) == 17
    assert entries_after(LEDGERS, 2, 9) == 7
    assert entries_after(LEDGERS, 2, 3) == 13
    assert entries_after(LEDGERS, 3, 0) == 7
    assert entries_after(LEDGERS, 9, 2) == 0
    assert entries_after(LEDGERS, *marked(LEDGERS, "g")) == 5
    assert entries_after(LEDGERS, *marked(LEDGERS, "nobody")) == 17
    assert entries({"ledgers": [], "currentLedgerEntries": 0}) == 0


def test_batches_are_estimated_by_what_was_written_lately() -> None:
    assert records_per_entry(LEDGERS, {"msgInCounter": 30}) == 10.0
    assert records_per_entry({}, {}) == 1.0


def test_a_group_is_seen_in_the_statistics() -> None:
    def attached(*names: str) -> dict[str, Any]:
        return {"consumers": [{"consumerName": name, "connectedSince": f"2026-01-0{3 - len(name)}"} for name in names]}

    stats = {
        0: {
            "subscriptions": {
                "langstream-member.g-reader-1": attached("a"),
                "langstream-member.g-reader-2": attached("bb"),
                "langstream-member.other-reader-3": attached("x"),
                "langstream-member.g-x-reader-4": attached("y"),
                "g": attached("a"),
            }
        },
        1: {"subscriptions": {"g": attached(), "h": attached("x")}},
        2: {},
    }
    found = view(stats, "g")
    assert found.members == ("bb", "a")
    assert found.owners == {0: "a"}


def test_names_are_those_of_the_application() -> None:
    place = Namespace("t", "n")
    assert place.full("orders") == "persistent://t/n/orders"
    listed = [place.full(name) for name in ("b-partition-0", "b-partition-1", "a", "__change_events-partition-0")]
    assert short_names([*listed, place.full("b")]) == ["a", "b"]
    assert json.dumps(place.path("a")) == '["persistent", "t", "n", "a"]'
