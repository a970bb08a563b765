"""A publisher whose transactions end in the dark: the note tells what became of them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from langstream.errors import Fenced
from langstream.records import SimpleRecord
from langstream.topics.kafka import transactor
from langstream.topics.kafka.cluster import KafkaCluster
from tests.topics.kafka.moves import topic

CommitTransaction = Callable[[Producer], Any]


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What nobody sets before the test is over. Stuck calls are given up after a second."""
    monkeypatch.setattr(transactor, "CALL_SECONDS", 2.0)
    monkeypatch.setattr(transactor, "GRACE_SECONDS", 1.0)
    monkeypatch.setattr(transactor, "COMMIT_ATTEMPTS", 1)
    never = threading.Event()
    yield never
    never.set()


@pytest.fixture
def made(cluster: KafkaCluster, monkeypatch: pytest.MonkeyPatch) -> list[CommitTransaction]:
    """How the clients that are made from now on commit, the first one first; after the last, as always."""
    ways: list[CommitTransaction] = []
    make = cluster._client

    def wrapped(kind: Any, properties: Any) -> Any:
        if "transactional.id" not in properties or not ways:
            return make(kind, properties)
        way = ways.pop(0)

        class Client(Producer):
            def commit_transaction(self, *arguments: Any) -> None:
                way(super())  # type: ignore[arg-type]

        return make(Client, properties)

    monkeypatch.setattr(cluster, "_client", wrapped)
    return ways


async def values(cluster: KafkaCluster, name: str) -> list[Any]:
    reader = cluster.reader(name, "earliest")
    await reader.start()
    return [record.value() for run in await reader.read(10, 30.0) for record in run.records]


def record(value: str) -> list[SimpleRecord]:
    return [SimpleRecord(value)]


async def test_a_commit_that_never_reached_the_brokers_is_made_by_another_client(
    cluster: KafkaCluster, never: threading.Event, made: list[CommitTransaction]
) -> None:
    target = await topic(cluster, "target")
    publisher = cluster.publisher(f"source-{uuid.uuid4().hex}", target)
    made.append(lambda client: never.wait())
    await publisher.start()
    await publisher.publish("first", [(target, record("a"))])
    assert await values(cluster, target) == ["a"]


async def test_a_commit_whose_answer_was_lost_is_not_made_again(
    cluster: KafkaCluster, never: threading.Event, made: list[CommitTransaction]
) -> None:
    def unheard(client: Producer) -> None:
        client.commit_transaction(10.0)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    target = await topic(cluster, "target")
    publisher = cluster.publisher(f"source-{uuid.uuid4().hex}", target)
    made.append(unheard)
    await publisher.start()
    await publisher.publish("first", [(target, record("a"))])
    await publisher.publish("second", [(target, record("b"))])
    assert await values(cluster, target) == ["a", "b"]
    assert made == []


async def test_whoever_looks_after_a_lost_answer_sees_that_somebody_else_has_published(
    cluster: KafkaCluster, never: threading.Event, made: list[CommitTransaction]
) -> None:
    target, name = await topic(cluster, "target"), f"source-{uuid.uuid4().hex}"
    publisher = cluster.publisher(name, target)
    made.append(lambda client: never.wait())
    await publisher.start()
    successor = cluster.publisher(name, target)
    await successor.start()
    await successor.publish("other", [(target, record("b"))])
    with pytest.raises(Fenced, match="another process publishes"):
        await publisher.publish("first", [(target, record("a"))])
    assert await values(cluster, target) == ["b"]
