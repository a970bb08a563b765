"""Where a member begins to read partitions it was given: always asked for here, never left to the client.

A client that learns of another change of the group while it asks for the stored offsets, and is told to wait because a
transaction is still open, takes that for no stored offset (librdkafka 2.16): it would read all of it again, or nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, Protocol

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from langstream.topics.kafka.failures import reason

ASK_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = 0.1
GIVE_UP_SECONDS: Final = 60.0
"""Longer than the brokers let a transaction be open whose process is gone."""


class Waiter(Protocol):
    """The consumer, as far as it is needed here. Called in the thread."""

    def meanwhile(self, client: Consumer) -> bool:
        """Now and then; whether the consumer is being closed."""

    def held_up(self) -> None:
        """Somebody's open transaction is in the way, perhaps that of a process that is no more."""


def begin(client: Consumer, partitions: Sequence[TopicPartition], waiter: Waiter) -> None:
    """In the thread, when the group gives partitions: assign them at what is stored.

    Heartbeats go on meanwhile. Raises KafkaException if nobody can tell in time: the member has to join anew.
    """
    placed = _stored(client, partitions, waiter) if partitions else []
    try:
        client.incremental_assign(placed)
    except KafkaException as error:
        if reason(error).code() != KafkaError._STATE:
            raise
        client.assign(placed)  # strategies that are not cooperative name all partitions at once
    if placed:  # the client remembers that a partition was paused when it went away: it would never be read again
        client.resume(placed)


def _stored(client: Consumer, partitions: Sequence[TopicPartition], waiter: Waiter) -> list[TopicPartition]:
    """The partitions with their offsets; without one where the group has stored none."""
    placed: list[TopicPartition] = []
    unknown = [TopicPartition(partition.topic, partition.partition) for partition in partitions]
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while True:
        failure = None
        try:
            answers = client.committed(unknown, ASK_SECONDS)
        except KafkaException as error:
            answers, failure = [], error
        told = [answer for answer in answers if answer.error is None]
        placed += [TopicPartition(answer.topic, answer.partition, _start(answer.offset)) for answer in told]
        known = {answer.partition for answer in placed}
        unknown = [partition for partition in unknown if partition.partition not in known]
        if not unknown or waiter.meanwhile(client):
            return placed + unknown
        if failure is None or reason(failure).code() == KafkaError._TIMED_OUT:
            waiter.held_up()  # the client itself asks again as long as a transaction is open
        if time.monotonic() > deadline:
            raise failure or KafkaException(answers[0].error)
        time.sleep(PAUSE_SECONDS)


def _start(offset: int) -> int:
    return offset if offset >= 0 else OFFSET_INVALID
