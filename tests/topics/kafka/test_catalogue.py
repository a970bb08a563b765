"""What is known of topics while brokers are away."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from langstream.errors import BrokerUnavailable, TopicNotFound
from langstream.topics.kafka.catalogue import LOOKUPS, Catalogue
from langstream.topics.kafka.threads import Threads

AWAY = KafkaException(KafkaError(KafkaError._TIMED_OUT))
UNKNOWN = KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))


class Client:
    """Answers as it is told, the last answer for ever: a number of partitions, or an error."""

    def __init__(self, *answers: int | KafkaException) -> None:
        self.answers = list(answers)
        self.refreshed = 0

    def describe_topics(self, topics: Any, request_timeout: float) -> dict[str, Future[Any]]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        future: Future[Any] = Future()
        if isinstance(answer, KafkaException):
            future.set_exception(answer)
        else:
            future.set_result(SimpleNamespace(partitions=[None] * answer))
        return {"orders": future}

    def list_topics(self, timeout: float) -> Any:
        self.refreshed += 1
        return SimpleNamespace(topics={})


async def looked_up(client: Client, times: int = 1) -> list[int]:
    threads = Threads()
    catalogue = Catalogue(client, threads)  # type: ignore[arg-type]
    found = []
    try:
        for _ in range(times):
            found.append((await catalogue.topic("orders")).partitions)
            catalogue.forget("orders")
            await asyncio.sleep(0)
    finally:
        await threads.close()
    return found


async def test_a_lookup_that_nobody_answers_is_repeated_with_the_brokers_that_are_there_now() -> None:
    client = Client(AWAY, 4)
    assert await looked_up(client) == [4]
    assert client.refreshed == 1


async def test_a_topic_that_was_known_is_taken_as_it_was_while_the_brokers_are_away() -> None:
    assert await looked_up(Client(4, AWAY), 2) == [4, 4]


async def test_a_topic_that_was_never_known_cannot_be_told_while_they_are_away() -> None:
    client = Client(AWAY)
    with pytest.raises(BrokerUnavailable):
        await looked_up(client)
    assert client.refreshed == LOOKUPS - 1


async def test_a_topic_that_is_gone_is_not_taken_as_it_was() -> None:
    with pytest.raises(TopicNotFound):
        await looked_up(Client(4, UNKNOWN), 2)
