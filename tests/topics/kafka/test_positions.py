"""Where a member begins to read: at what is stored, however long the brokers take to tell."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from langstream.topics.kafka import positions
from langstream.topics.kafka.positions import begin


class Client:
    """Answers as it is told, one after the other; a partition with an error has no offset, as in the real client."""

    def __init__(self, *answers: Any, cooperative: bool = True) -> None:
        self.assigned: list[tuple[int, int]] = []
        self.asked: list[list[int]] = []
        self.resumed: list[int] = []
        self._answers = list(answers)
        self._cooperative = cooperative

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[Any]:
        self.asked.append([partition.partition for partition in partitions])
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [Answer(number, *answer[number]) for number in self.asked[-1]]

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.resumed = [partition.partition for partition in partitions]

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        if not self._cooperative:
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.assign(partitions)

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = [(partition.partition, partition.offset) for partition in partitions]


class Answer:
    topic = "in"

    def __init__(self, partition: int, offset: int, error: int | None = None) -> None:
        self.partition = partition
        self.offset = offset
        self.error = None if error is None else KafkaError(error)


UNSTABLE = (OFFSET_INVALID, KafkaError.UNSTABLE_OFFSET_COMMIT)


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "PAUSE_SECONDS", 0)


class Waiter:
    """The consumer: how often it was told that a transaction is in the way."""

    def __init__(self, stopping: bool) -> None:
        self.held = 0
        self._stopping = stopping

    def meanwhile(self, client: object) -> bool:
        return self._stopping

    def held_up(self) -> None:
        self.held += 1


def begun(client: Client, *numbers: int, stopping: bool = False, held: int = 0) -> Client:
    waiter = Waiter(stopping)
    begin(client, [TopicPartition("in", number) for number in numbers], waiter)  # type: ignore[arg-type]
    assert waiter.held == held
    return client


def test_partitions_start_at_the_stored_offset_or_where_the_group_has_none_at_the_configured_end() -> None:
    client = begun(Client({0: (5,), 1: (OFFSET_INVALID,)}), 0, 1)
    assert client.assigned == [(0, 5), (1, OFFSET_INVALID)]
    assert client.resumed == [0, 1]


def test_an_open_transaction_is_waited_for() -> None:
    client = begun(Client({0: (5,), 1: UNSTABLE}, {1: UNSTABLE}, {1: (7,)}), 0, 1, held=2)
    assert client.asked == [[0, 1], [1], [1]]
    assert client.assigned == [(0, 5), (1, 7)]


def test_brokers_that_are_away_are_waited_for() -> None:
    client = begun(Client(KafkaException(KafkaError(KafkaError._TRANSPORT)), {0: (5,)}), 0)
    assert client.assigned == [(0, 5)]


def test_a_member_that_never_learns_does_not_begin_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "GIVE_UP_SECONDS", -1)
    client = Client({0: UNSTABLE})
    with pytest.raises(KafkaException):
        begun(client, 0)
    assert not client.assigned


def test_a_consumer_that_is_closed_does_not_wait() -> None:
    assert begun(Client({0: UNSTABLE}), 0, stopping=True).assigned == [(0, OFFSET_INVALID)]


def test_strategies_that_are_not_cooperative_get_all_partitions_at_once() -> None:
    assert begun(Client({0: (5,)}, cooperative=False), 0).assigned == [(0, 5)]


def test_a_rebalance_that_gives_nothing_asks_nothing() -> None:
    assert begun(Client()).asked == []
