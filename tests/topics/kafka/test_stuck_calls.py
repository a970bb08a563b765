"""Clients that never return from a call about a transaction, or from a commit: they are given up, and made anew."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from langstream.errors import BrokerUnavailable, Fenced
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition
from langstream.topics.kafka import consumer as consumer_module
from langstream.topics.kafka import transactor
from langstream.topics.kafka.cluster import KafkaCluster
from tests.topics.kafka.moves import member, send, topic, values


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Stuck calls return when the test is over. Until then they are given up after a second."""
    monkeypatch.setattr(transactor, "CALL_SECONDS", 0.6)
    monkeypatch.setattr(transactor, "GRACE_SECONDS", 0.4)
    released = threading.Event()
    yield released
    released.set()


@pytest.fixture
def stuck_commit(cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch, released: threading.Event) -> list[str]:
    """The first commit of all hangs; the list has an entry for each."""
    monkeypatch.setattr(consumer_module, "OVERDUE_SECONDS", 2.0)
    commits: list[str] = []

    class Stuck(Consumer):
        def commit(self, *arguments: Any, **options: Any) -> Any:
            commits.append("commit")
            return released.wait() if len(commits) == 1 else super().commit(*arguments, **options)

    make = cluster._client
    monkeypatch.setattr(cluster, "_client", lambda kind, known: make(Stuck if kind is Consumer else kind, known))
    return commits


async def test_a_consumer_whose_commit_hangs_is_broken_and_another_goes_on(
    cluster: KafkaCluster, stuck_commit: list[str]
) -> None:
    source = await topic(cluster, "source")
    await send(cluster, source, "a", "b")
    consumer = await member(cluster, source, **{"session.timeout.ms": 6000, "max.poll.interval.ms": 6000})
    assert await values(consumer, 2) == ["a", "b"]
    with pytest.raises(BrokerUnavailable, match="did not answer in 2 s"):
        await consumer.commit({TopicPartition(source, 0): 1})
    with pytest.raises(BrokerUnavailable, match="made anew"):
        await consumer.poll(1, 30.0)
    with pytest.raises(BrokerUnavailable, match="made anew"):
        await consumer.commit({TopicPartition(source, 0): 1})
    await consumer.close()  # waits for nothing
    successor = await member(cluster, source)
    assert await values(successor, 2) == ["a", "b"]
    await successor.commit({TopicPartition(source, 0): 2})
    assert await successor.lag() == {TopicPartition(source, 0): 0}


@pytest.mark.parametrize("stuck", ["send_offsets_to_transaction", "commit_transaction"])
async def test_a_call_that_never_returns_costs_its_transaction_and_no_more(
    cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch, released: threading.Event, stuck: str
) -> None:
    made: list[Producer] = []

    class Stuck(Producer):
        """The first one of all gets stuck."""

        def __getattribute__(self, name: str) -> Any:
            return (lambda *_: released.wait()) if name == stuck and made[0] is self else super().__getattribute__(name)

    def make(properties: Any, name: str) -> Producer:
        client: Producer = cluster._client(Stuck, {**properties, "transactional.id": name})
        made.append(client)
        return client

    monkeypatch.setattr(cluster, "_transactional", make)
    source, target = await topic(cluster, "source"), await topic(cluster, "target")
    await send(cluster, source, "a")
    consumer, producer = await member(cluster, source), cluster.producer()
    assert await values(consumer, 1) == ["a"]
    monkeypatch.setattr(transactor, "COMMIT_ATTEMPTS", 1)
    work = [(target, [SimpleRecord("b")])], consumer, {TopicPartition(source, 0): 1}
    with pytest.raises((BrokerUnavailable, Fenced)):
        await producer.transact(*work)
    monkeypatch.undo()
    await producer.transact(*work)
    reader = cluster.reader(target, "earliest")
    await reader.start()
    assert [record.value() for run in await reader.read(10, 60.0) for record in run.records] == ["b"]
    assert len(made) == 1  # undone: the second client was made as always
    await cluster.close()  # does not wait for the stuck call
