"""What only Kafka has: logins, transactions of several processes, marks in the log, other clients."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from langstream.errors import ApplicationRefused, BrokerUnavailable, Fenced, TopicError, TopicMismatch
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition, TopicSpec
from langstream.topics.kafka import feed
from langstream.topics.kafka.cluster import KafkaCluster
from langstream.topics.kafka.consumer import KafkaConsumer
from langstream.topics.kafka.feed import MOST_MESSAGES
from tests.servers.kafka import BEARER, PASSWORD, PLAIN, SCRAM, UNSECURED, USER, Kafka
from tests.topics.kafka.moves import Open, member, send, topic, until, values


def tls(certificate: Path) -> dict[str, str]:
    """What a client needs to trust the broker, and to be trusted by it."""
    return {
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificate.with_name("certificate.pem")),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificate),
    }


def login(server: Kafka, mechanism: str, module: str, options: str) -> dict[str, str]:
    return {
        "bootstrap.servers": server.bootstrap_with_login,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": mechanism,
        "sasl.jaas.config": f"{module} required {options};",
    }


@pytest.mark.parametrize(
    ("mechanism", "module", "options"),
    [
        ("PLAIN", PLAIN, f'username="{USER}" password="{PASSWORD}"'),
        ("SCRAM-SHA-512", SCRAM, f'username="{USER}" password="{PASSWORD}"'),
        ("OAUTHBEARER", BEARER, UNSECURED),
    ],
)
async def test_java_s_credentials_open_the_door(
    connect: Open, kafka_server: Kafka, kafka_certificate: Path, mechanism: str, module: str, options: str
) -> None:
    """With certificates on both sides."""
    cluster = await connect({**login(kafka_server, mechanism, module, options), **tls(kafka_certificate)})
    name = await topic(cluster, "with-login")
    await send(cluster, name, "a")
    assert await values(await member(cluster, name), 1) == ["a"]


async def test_a_wrong_password_is_told_and_not_shown(
    connect: Open, kafka_server: Kafka, kafka_certificate: Path
) -> None:
    wrong = login(kafka_server, "PLAIN", PLAIN, f'username="{USER}" password="not-it"')
    with pytest.raises(TopicError, match="Authentication failed") as raised:
        await connect({**wrong, **tls(kafka_certificate)})
    assert "not-it" not in str(raised.value)


async def test_a_broker_that_cannot_be_trusted_is_told(connect: Open, kafka_server: Kafka) -> None:
    with pytest.raises(TopicError, match=r"does not let LangStream in.*certificate"):
        await connect(login(kafka_server, "PLAIN", PLAIN, f'username="{USER}" password="{PASSWORD}"'))


async def test_a_broker_that_is_not_there_is_named(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langstream.topics.kafka.cluster.CONNECT_SECONDS", 1.0)
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1: .*refused"):
        await connect({"bootstrap.servers": "127.0.0.1:1"})


async def test_a_property_that_does_not_exist_is_refused_by_name(connect: Open) -> None:
    with pytest.raises(ApplicationRefused, match=r"fetch\.minbytes"):
        await connect({"fetch.minbytes": 1})


async def test_other_replicas_are_a_mismatch(cluster: KafkaCluster) -> None:
    name = await topic(cluster, "copied")
    assert not await cluster.admin.create(TopicSpec(name, options={"replication-factor": "1"}))
    with pytest.raises(TopicMismatch, match=r"replication-factor 1.*3 is declared"):
        await cluster.admin.create(TopicSpec(name, options={"replication-factor": 3}))


async def test_more_replicas_than_brokers_are_refused_in_the_broker_s_words(cluster: KafkaCluster) -> None:
    with pytest.raises(TopicError, match=r"creating topic many.*replication"):
        await cluster.admin.create(TopicSpec("many", options={"replication-factor": 3}))


async def test_keys_go_where_java_sends_them(cluster: KafkaCluster) -> None:
    """The hashes are those of the tests of Kafka's own clients."""
    hashes = {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "abc": 479470107}
    name = await topic(cluster, "keyed", 10)
    await send(cluster, name, *(SimpleRecord(key, key) for key in hashes))
    reader = cluster.reader(name, "earliest")
    await reader.start()
    places: dict[str, int] = {}
    while len(places) < len(hashes):
        for run in await reader.read(10, 60.0):
            places.update({record.key(): run.partition for record in run.records})
    assert places == {key: (value & 0x7FFFFFFF) % 10 for key, value in hashes.items()}


async def test_exactly_once_can_be_declined(connect: Open) -> None:
    assert not (await connect(**{"exactly-once": "never"})).capabilities.transactions
    assert (await connect()).capabilities.transactions


async def test_a_cluster_without_transactions_falls_back_and_says_so(
    connect: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker refuses transactions longer than a quarter of an hour."""
    cluster = await connect({"transaction.timeout.ms": 100_000_000})
    assert not cluster.capabilities.transactions
    assert "at least once" in caplog.text
    name = await topic(cluster, "plain")
    await send(cluster, name, "a")


async def test_marks_of_transactions_leave_no_lag(cluster: KafkaCluster) -> None:
    source, target = await topic(cluster, "source"), await topic(cluster, "target")
    await send(cluster, source, "1", "2", "3")
    consumer, producer = await member(cluster, source), cluster.producer()
    for _ in range(3):
        (run,) = await consumer.poll(1, 60.0)
        offsets = {TopicPartition(source, 0): run.next_offset}
        await producer.transact([(target, run.records)], consumer, offsets)
    follower = cluster.consumer(target, "followers")
    await follower.start()
    assert await values(follower, 3) == ["1", "2", "3"]
    assert not await follower.poll(1, 1.0)  # comes to the end of the partition meanwhile
    await follower.commit({TopicPartition(target, 0): 5})
    assert await follower.lag() == {TopicPartition(target, 0): 0}


async def test_a_group_goes_on_after_records_that_were_trimmed(cluster: KafkaCluster, kafka_server: Kafka) -> None:
    name = await topic(cluster, "trimmed")
    await send(cluster, name, *map(str, range(10)))
    client = AdminClient({"bootstrap.servers": kafka_server.bootstrap})
    client.delete_records([KafkaPartition(name, 0, 6)])[KafkaPartition(name, 0)].result(60)
    consumer = await member(cluster, name)
    assert await values(consumer, 4) == ["6", "7", "8", "9"]
    await consumer.commit({TopicPartition(name, 0): 8})
    assert await consumer.lag() == {TopicPartition(name, 0): 2}


async def test_a_group_may_start_at_the_latest_record(cluster: KafkaCluster) -> None:
    name = await topic(cluster, "latest")
    await send(cluster, name, "old")
    consumer = await member(cluster, name, **{"auto.offset.reset": "latest"})
    await consumer.poll(1, 1.0)
    await send(cluster, name, "new")
    assert await values(consumer, 1) == ["new"]
    await consumer.commit({TopicPartition(name, 0): 2})
    assert await consumer.lag() == {TopicPartition(name, 0): 0}


async def test_a_member_that_does_not_poll_keeps_its_place_and_little_memory(connect: Open) -> None:
    cluster = await connect({"max.poll.interval.ms": 3000, "session.timeout.ms": 3000})
    name = await topic(cluster, "backlog")
    numbers = [str(number) for number in range(4 * MOST_MESSAGES)]
    await send(cluster, name, *numbers)
    consumer = await member(cluster, name)
    await asyncio.sleep(4.0)  # longer than the client waits for a poll
    assert consumer.read_ahead <= 2 * MOST_MESSAGES
    assert await values(consumer, len(numbers)) == numbers
    await consumer.commit({TopicPartition(name, 0): len(numbers)})


async def test_a_partition_that_went_while_there_was_no_room_is_read_when_it_comes_back(
    cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_MESSAGES", 10)
    monkeypatch.setattr(feed, "PATIENCE_SECONDS", 0.0)
    name = await topic(cluster, "backlog", 2)
    await send(cluster, name, *(SimpleRecord(str(number), str(number % 8)) for number in range(200)))
    first = await member(cluster, name)
    await until(lambda: first.read_ahead > 10)
    await asyncio.sleep(1.0)  # full: it has paused both
    second = await member(cluster, name)
    await until(lambda: len(first.assignment()) == len(second.assignment()) == 1)
    (kept,) = first.assignment()
    while (await first.lag())[kept]:
        for run in await first.poll(100, 60.0):
            await first.commit({TopicPartition(name, run.partition): run.next_offset})
    await second.close()
    await until(lambda: len(first.assignment()) == 2)
    while sum((await first.lag()).values()):
        runs = await first.poll(100, 30.0)
        assert runs, "the partition that came back stands still"
        await first.commit({TopicPartition(name, run.partition): run.next_offset for run in runs})


async def test_processes_that_take_the_same_transactional_id_do_not_shut_each_other_out(
    connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts of the same name, say: each believes to be the first there."""
    clusters = [await connect(), await connect()]
    monkeypatch.setattr(clusters[1]._names, "_mark", lambda name: True)
    source, target = await topic(clusters[0], "source", 2), await topic(clusters[0], "target")
    numbers = [str(number) for number in range(200)]
    await send(clusters[0], source, *(SimpleRecord(number, number) for number in numbers))
    consumers = [await member(cluster, source) for cluster in clusters]
    await until(lambda: {len(consumer.assignment()) for consumer in consumers} == {1})

    async def work(cluster: KafkaCluster, consumer: KafkaConsumer) -> None:
        producer = cluster.producer()
        for _ in range(40):
            for run in await consumer.poll(10, 0.05):
                offsets = {TopicPartition(source, run.partition): run.next_offset}
                try:
                    await producer.transact([(target, run.records)], consumer, offsets)
                except Fenced:
                    return

    await asyncio.gather(*map(work, clusters, consumers))
    reader = clusters[0].reader(target, "earliest")
    await reader.start()
    found: list[Any] = []
    while runs := await reader.read(100, 1.0):
        found += [record.value() for run in runs for record in run.records]
    assert len(found) == len(set(found))
    lag = [number for consumer in consumers for number in (await consumer.lag()).values()]
    assert len(found) + sum(lag) == len(numbers)


async def test_the_newer_protocol_of_groups_shares_partitions_and_fences(connect: Open) -> None:
    newer = {"group.protocol": "consumer", "heartbeat.interval.ms": None, "session.timeout.ms": None}
    cluster = await connect(newer)
    source, target = await topic(cluster, "source", 2), await topic(cluster, "target")
    await send(cluster, source, *(SimpleRecord(str(number), str(number)) for number in range(20)))
    first, producer = await member(cluster, source), cluster.producer()
    await values(first, 20)
    second = await member(cluster, source)
    await until(lambda: len(first.assignment()) == len(second.assignment()) == 1)
    (kept,), (moved,) = first.assignment(), second.assignment()
    with pytest.raises(Fenced):
        await producer.transact([(target, [SimpleRecord("late")])], first, {moved: 1})
    await producer.transact([(target, [SimpleRecord("in time")])], first, {kept: 1})
    follower = cluster.consumer(target, f"followers-of-{target}")
    await follower.start()
    assert await values(follower, 1) == ["in time"]


async def test_a_static_member_comes_back_to_its_partitions(connect: Open) -> None:
    first = await connect()
    name = await topic(first, "static", 2)
    left, right = [await member(first, name, **{"group.instance.id": "me"}) for _ in range(2)]
    await until(lambda: len(left.assignment()) == len(right.assignment()) == 1)
    before = left.assignment()
    await left.close()
    again = await member(first, name, **{"group.instance.id": "me"})
    await until(lambda: again.assignment() == before)
    assert len(right.assignment()) == 1


async def test_a_static_member_that_was_replaced_owns_nothing_any_more(
    connect: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters = [await connect(), await connect()]
    name = await topic(clusters[0], "replaced")
    first = await member(clusters[0], name, **{"group.instance.id": "me"})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # a host where nobody has this name yet
    await member(clusters[1], name, **{"group.instance.id": "me"})
    with pytest.raises(TopicError, match=r"same group\.instance\.id"):
        await first.poll(1, 60.0)
    with pytest.raises(Fenced):
        await first.commit({TopicPartition(name, 0): 0})


async def test_groups_and_their_lag_are_told(cluster: KafkaCluster) -> None:
    name = await topic(cluster, "watched")
    await send(cluster, name, "a", "b", "c")
    consumer = await member(cluster, name)
    await values(consumer, 3)
    await consumer.commit({TopicPartition(name, 0): 1})
    (position,) = await cluster.admin.positions(name)
    assert (position.group, position.partition, position.committed, position.lag) == (
        f"group-of-{name}", (name, 0), 1, 2,
    )  # fmt: skip
    assert position.member is not None


async def test_what_a_group_has_committed_is_told_while_a_transaction_is_open(cluster: KafkaCluster) -> None:
    name = await topic(cluster, "watched")
    await send(cluster, name, "a", "b")
    consumer = await member(cluster, name)
    await values(consumer, 2)
    await consumer.commit({TopicPartition(name, 0): 1})
    await consumer.close()
    producer = cluster._transactional(cluster._settings.producer({}), f"open-{name}")
    group = cluster._onlooker(f"group-of-{name}")
    await asyncio.to_thread(producer.init_transactions, 30.0)
    producer.begin_transaction()
    metadata = group.consumer_group_metadata()
    await asyncio.to_thread(producer.send_offsets_to_transaction, [KafkaPartition(name, 0, 2)], metadata, 30.0)
    (position,) = await cluster.admin.positions(name)
    assert (position.committed, position.lag) == (1, 1)
    await asyncio.to_thread(producer.abort_transaction, 30.0)
    group.close()
