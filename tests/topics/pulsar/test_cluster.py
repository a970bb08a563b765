"""What only Pulsar has: logins, tenants and namespaces, retention, other clients' batches, records in pieces."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import _pulsar
import pytest

from langstream.errors import BrokerUnavailable, TopicError, TopicMismatch
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition, TopicSpec, encode_position
from langstream.topics.pulsar.cluster import PulsarCluster
from langstream.topics.pulsar.sender import partition_of_text
from tests.servers.pulsar import NAMESPACE, Pulsar
from tests.topics.pulsar.moves import Open, ends, member, runs, send, topic, values


def secured(server: Pulsar, token: str, **properties: Any) -> dict[str, Any]:
    """The configuration of a cluster with TLS and a token."""
    trust = {"tlsTrustCertsFilePath": str(server.certificate), **properties}
    return {
        "service": {"serviceUrl": server.secured_service_url, **trust},
        "admin": {"serviceUrl": server.secured_admin_url, **trust},
        "authentication": {
            "authPluginClassName": "org.apache.pulsar.client.impl.auth.AuthenticationToken",
            "authParams": f"token:{token}",
        },
    }


async def test_a_token_opens_the_door_with_tls(connect: Open, pulsar_server: Pulsar) -> None:
    cluster = await connect(**secured(pulsar_server, pulsar_server.token("admin")))
    name = await topic(cluster, "with-login", 2)
    await send(cluster, name, "a")
    assert await values(await member(cluster, name), 1) == ["a"]


async def test_a_token_in_a_file_is_read(connect: Open, pulsar_server: Pulsar, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(pulsar_server.token("admin") + "\n")
    login = {"plugin": "token", "params": {"file": str(tmp_path / "token")}}
    cluster = await connect(**{**secured(pulsar_server, ""), "authentication": login})
    name = await topic(cluster, "with-file")
    await send(cluster, name, "a")


async def test_a_role_without_permission_is_told(cluster: PulsarCluster, connect: Open, pulsar_server: Pulsar) -> None:
    await topic(cluster, "forbidden")
    pulsar_server.ask("POST", f"namespaces/{NAMESPACE}/permissions/reader", ["consume"])
    login = {"authentication": {"token": pulsar_server.token("reader")}}
    other = {"service": {"serviceUrl": pulsar_server.service_url}, "admin": {"serviceUrl": pulsar_server.admin_url}}
    with pytest.raises(TopicError, match="permission"):
        await connect(**other, **login)


async def test_a_certificate_that_nobody_trusts_is_refused(connect: Open, pulsar_server: Pulsar) -> None:
    configuration = secured(pulsar_server, pulsar_server.token("admin"), tlsTrustCertsFilePath="")
    with pytest.raises(BrokerUnavailable, match=r"(?i)certificate"):
        await connect(**configuration)


async def test_a_cluster_that_is_not_there_is_named(connect: Open) -> None:
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 "):
        await connect(admin={"serviceUrl": "http://127.0.0.1:1"})


async def test_the_second_administration_host_is_asked_when_the_first_is_away(
    connect: Open, pulsar_server: Pulsar
) -> None:
    hosts = f"http://127.0.0.1:1,{pulsar_server.admin_url.removeprefix('http://')}"
    cluster = await connect(admin={"serviceUrl": hosts})
    assert await cluster.admin.describe("nothing") is None


async def test_tenant_and_namespace_are_made_with_their_retention(connect: Open, pulsar_server: Pulsar) -> None:
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    place = {"defaultTenant": tenant, "defaultNamespace": "apps"}
    cluster = await connect(**{"default-tenant": None, "default-namespace": None, **place})
    await cluster.admin.create(TopicSpec("first"))
    assert pulsar_server.ask("GET", f"namespaces/{tenant}/apps/retention") == {
        "retentionTimeInMinutes": 10080,
        "retentionSizeInMB": -1,
    }
    chosen = await connect(
        **{"default-tenant": tenant, "default-namespace": "apps"},
        **{"default-retention-policies": {"retentionTimeInMinutes": 60}},
    )
    await chosen.admin.create(TopicSpec("second"))
    assert pulsar_server.ask("GET", f"namespaces/{tenant}/apps/retention")["retentionTimeInMinutes"] == 60


async def test_a_partition_that_a_broker_has_removed_as_unused_is_made_again(
    cluster: PulsarCluster, pulsar_server: Pulsar
) -> None:
    name = await topic(cluster, "unused", 2)
    pulsar_server.ask("DELETE", f"persistent/{NAMESPACE}/{name}-partition-1?force=true")
    description = await cluster.admin.describe(name)
    assert description is not None
    assert (description.partitions, description.records) == (2, 0)
    reader = cluster.reader(name, "earliest")
    await reader.start()
    await send(cluster, name, *(SimpleRecord(str(number), str(number)) for number in range(20)))
    assert len(await values(await member(cluster, name), 20)) == 20
    found = 0
    while found < 20:
        found += sum(len(run.records) for run in await reader.read(20, 60.0))


async def test_topics_that_nobody_uses_stay(connect: Open, pulsar_server: Pulsar) -> None:
    """In a namespace of somebody else, who lets unused topics go."""
    name = f"n-{uuid.uuid4().hex[:8]}"
    pulsar_server.ask("PUT", f"namespaces/public/{name}", {})
    other = await connect(**{"default-tenant": "public", "default-namespace": name})
    await other.admin.create(TopicSpec("kept"))
    found = pulsar_server.ask("GET", f"persistent/public/{name}/kept/inactiveTopicPolicies")
    assert found["deleteWhileInactive"] is False


async def test_settings_of_a_topic_become_policies(cluster: PulsarCluster, pulsar_server: Pulsar) -> None:
    config = {"retention.ms": 90_000, "retention.bytes": 5_000_000, "cleanup.policy": "compact,delete"}
    name = await topic(cluster, "kept", 1, **config)
    place = f"persistent/{NAMESPACE}/{name}"
    assert pulsar_server.ask("GET", f"{place}/retention") == {"retentionTimeInMinutes": 2, "retentionSizeInMB": 5}
    assert pulsar_server.ask("GET", f"{place}/compactionThreshold") == 100 << 20


async def test_a_topic_of_somebody_else_is_described_by_its_policies(
    cluster: PulsarCluster, pulsar_server: Pulsar
) -> None:
    place = f"persistent/{NAMESPACE}/theirs"
    pulsar_server.ask("PUT", place)
    pulsar_server.ask("POST", f"{place}/retention", {"retentionTimeInMinutes": 1, "retentionSizeInMB": -1})
    description = await cluster.admin.describe("theirs")
    assert description is not None
    assert description.config == {"retention.ms": "60000", "retention.bytes": "-1"}
    assert not await cluster.admin.create(TopicSpec("theirs", 1, {"retention.ms": 60_000}))
    with pytest.raises(TopicMismatch, match="cleanup"):
        await cluster.admin.create(TopicSpec("theirs", 1, {"cleanup.policy": "compact"}))
    await cluster.admin.delete("theirs")


async def test_a_record_larger_than_a_broker_takes_travels_in_pieces(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "large")
    large = "x" * 12_000_000
    await send(
        cluster,
        name,
        "before",
        large,
        "after",
    )
    consumer = await member(cluster, name)
    found = await runs(consumer, 3)
    assert [record.value() for run in found for record in run.records] == ["before", large, "after"]
    await consumer.commit(ends(found))
    await consumer.close()
    await send(cluster, name, "next")
    assert await values(await member(cluster, name), 1) == ["next"]


async def test_batches_can_be_committed_and_resumed_in_the_middle(cluster: PulsarCluster) -> None:
    """Where the brokers keep track within batches, which is a setting of theirs."""
    name = await topic(cluster, "batched")
    texts = [str(number) for number in range(100)]
    await send(cluster, name, *texts, batchingEnabled=True, batchingMaxPublishDelayMicros=20_000)
    consumer = await member(cluster, name)
    found = await runs(consumer, 100)
    offsets = [offset for run in found for offset in run.offsets]
    assert len({offset >> 16 for offset in offsets}) < 100, "nothing was batched"
    assert offsets == sorted(set(offsets))
    await consumer.commit({TopicPartition(name, 0): offsets[37]})
    assert await consumer.lag() == {TopicPartition(name, 0): 63}
    await consumer.close()
    assert await values(await member(cluster, name), 63) == texts[37:]
    reader = cluster.reader(name, encode_position({0: offsets[71]}))
    await reader.start()
    found = []
    while fetched := await reader.read(100, 0.05):
        found += fetched
    assert [record.value() for run in found for record in run.records] == texts[71:]


async def test_other_clients_read_and_write_plain_messages(cluster: PulsarCluster, pulsar_server: Pulsar) -> None:
    name = await topic(cluster, "shared", 1)
    await send(cluster, name, SimpleRecord({"a": 1}, "key", [("b", "2"), ("a", "1")], timestamp=7))
    configuration = _pulsar.ClientConfiguration()
    configuration.set_file_logger(_pulsar.LoggerLevel.Error, "/dev/null")
    client = _pulsar.Client(pulsar_server.service_url, configuration)
    full = f"persistent://{NAMESPACE}/{name}"
    options = _pulsar.ConsumerConfiguration()
    options.subscription_initial_position(_pulsar.InitialPosition.Earliest)
    message = client.subscribe(full, "theirs", options).receive(60_000)
    assert (message.data(), message.partition_key(), message.event_timestamp()) == (b'{"a":1}', "key", 7)
    assert message.properties() | {"a": "1", "b": "2"} == message.properties()
    builder = _pulsar.MessageBuilder()
    builder.content(b"plain")
    builder.property("h", "é")
    client.create_producer(full, _pulsar.ProducerConfiguration()).send(builder.build())
    client.close()
    (_, record) = [record for run in await runs(await member(cluster, name), 2) for record in run.records]
    assert (record.value(), record.key(), record.headers()) == ("plain", None, [("h", "é")])
    timestamp = record.timestamp()
    assert timestamp is not None
    assert timestamp > 1_600_000_000_000


def test_keys_go_where_java_sends_them() -> None:
    """The hashes are those of Java's `String.hashCode`."""
    hashes = {
        "": 0,
        "a": 97,
        "abc": 96354,
        "hello": 99162322,
        "é": 233,
        "😀": 1772899,
        "polygenelubricants": -(1 << 31),
    }
    for key, value in hashes.items():
        assert partition_of_text(key, 7) == (value & 0x7FFFFFFF) % 7


async def test_a_new_group_can_start_at_the_end(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "late")
    await send(cluster, name, "old")
    consumer = await member(cluster, name, **{"auto.offset.reset": "latest"})
    await send(cluster, name, "new")
    assert await values(consumer, 1) == ["new"]


async def test_groups_are_told_with_offset_lag_and_member(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "watched", 2)
    await send(cluster, name, *(SimpleRecord(str(number), str(number)) for number in range(20)))
    consumer = await member(cluster, name)
    found = await runs(consumer, 20)
    await consumer.commit(ends(found))
    await consumer.close()
    positions = await cluster.admin.positions(name)
    assert [(position.group, position.lag, position.member) for position in positions] == [
        (f"group-of-{name}", 0, None),
        (f"group-of-{name}", 0, None),
    ]
    assert {position.partition: position.committed for position in positions} == ends(found)


async def test_a_reader_holds_no_records_back_and_leaves_nothing_behind(
    cluster: PulsarCluster, pulsar_server: Pulsar
) -> None:
    name = await topic(cluster, "read")
    reader = cluster.reader(name, "earliest")
    await reader.start()
    await reader.close()
    assert pulsar_server.ask("GET", f"persistent/{NAMESPACE}/{name}-partition-0/stats")["subscriptions"] == {}
