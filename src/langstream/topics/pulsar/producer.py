"""Writes records: one wait per call, in order per key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NoReturn

from langstream.errors import TopicError
from langstream.records import Record
from langstream.topics.contract import TopicConsumer, TopicPartition
from langstream.topics.encoding import rows_of
from langstream.topics.pulsar.sender import Sender


class PulsarProducer:
    """See `TopicProducer`. Without transactions: the Python client of Pulsar has none."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._turn = 0
        self._closed = False

    async def start(self) -> None:
        """The clients are made when they are needed."""

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Returns when all are acknowledged. A failure may leave some of them written."""
        if self._closed:
            raise RuntimeError("the producer is closed")
        if not records:
            return
        rows = rows_of(records)
        self._turn += 1
        await self._sender.send(topic, rows, self._turn)

    async def transact(
        self,
        sends: Sequence[tuple[str, Sequence[Record]]],
        consumer: TopicConsumer,
        offsets: Mapping[TopicPartition, int],
    ) -> NoReturn:
        """Not here: `capabilities` say so, and the runtime delivers at least once."""
        raise TopicError("Pulsar's Python client has no transactions: write first, then commit")

    async def close(self) -> None:
        """The clients are shared and stay open."""
        self._closed = True
        await asyncio.sleep(0)
