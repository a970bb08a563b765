"""Clients that never return from a call about a transaction, or never answer a commit: given up, and made anew."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from langstream.errors import BrokerUnavailable, Fenced
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition
from langstream.topics.kafka import consumer as consumer_module
from langstream.topics.kafka import transactor
from langstream.topics.kafka.cluster import KafkaCluster
from tests.topics.kafka.moves import member, send, topic, until, values


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Stuck calls return when the test is over. Until then they are given up after a second."""
    monkeypatch.setattr(transactor, "CALL_SECONDS", 0.6)
    monkeypatch.setattr(transactor, "GRACE_SECONDS", 0.4)
    released = threading.Event()
    yield released
    released.set()


@pytest.fixture
def lost_commit(cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first commit of all is never answered; the list has the offsets of each."""
    monkeypatch.setattr(consumer_module, "OVERDUE_SECONDS", 5.0)
    commits: list[int] = []

    class Deaf(Consumer):
        def commit(self, *arguments: Any, **options: Any) -> Any:
            commits.append(options["offsets"][0].offset)
            return None if len(commits) == 1 else super().commit(*arguments, **options)

    make = cluster._client
    monkeypatch.setattr(cluster, "_client", lambda kind, known: make(Deaf if kind is Consumer else kind, known))
    return commits


async def test_a_commit_that_is_never_answered_holds_up_neither_reading_nor_the_next_one(
    cluster: KafkaCluster, lost_commit: list[int]
) -> None:
    source = await topic(cluster, "source")
    await send(cluster, source, "a")
    consumer = await member(cluster, source)
    assert await values(consumer, 1) == ["a"]
    committing = asyncio.create_task(consumer.commit({TopicPartition(source, 0): 1}))
    await send(cluster, source, "b")
    assert await values(consumer, 1) == ["b"]
    with pytest.raises(BrokerUnavailable, match="not answered in 5 s"):
        await committing
    await consumer.commit({TopicPartition(source, 0): 2})
    assert await consumer.lag() == {TopicPartition(source, 0): 0}
    assert lost_commit == [1, 2]


async def test_a_commit_that_meets_a_rebalance_is_made_again_in_it(
    cluster: KafkaCluster, lost_commit: list[int]
) -> None:
    source = await topic(cluster, "source")
    await send(cluster, source, "a")
    consumer = await member(cluster, source)
    assert await values(consumer, 1) == ["a"]
    committing = asyncio.create_task(consumer.commit({TopicPartition(source, 0): 1}))
    await until(lambda: lost_commit == [1])
    consumer._feed.tell(consumer._interrupt)
    await committing
    assert lost_commit == [1, 1]
    assert await consumer.lag() == {TopicPartition(source, 0): 0}


async def test_an_answer_to_a_commit_that_was_given_up_is_not_taken_for_that_to_the_next(
    cluster: KafkaCluster, lost_commit: list[int]
) -> None:
    source = await topic(cluster, "source")
    await send(cluster, source, "a", "b")
    consumer = await member(cluster, source)
    assert await values(consumer, 2) == ["a", "b"]
    committing = asyncio.create_task(consumer.commit({TopicPartition(source, 0): 2}))
    await until(lambda: lost_commit == [2])
    consumer.on_commit(None, [KafkaPartition(source, 0, 1)])
    with pytest.raises(BrokerUnavailable):
        await committing


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
