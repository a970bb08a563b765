"""A client whose calls about a transaction never return: it is given up, and the next one begins anew."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from langstream.errors import BrokerUnavailable, Fenced
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition
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
