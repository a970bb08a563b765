"""Writes records: encodes and divides them among partitions, then hands them to the log in one call.

Equal keys go to one partition. Records without a key stay together (one partition per call, the next call takes the
next one), which keeps runs long and the log small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from langstream.errors import TopicError
from langstream.records import Record, partition_of
from langstream.topics.contract import TopicConsumer, TopicPartition
from langstream.topics.encoding import Row, identity, rows_of
from langstream.topics.local.consumer import LocalConsumer
from langstream.topics.local.log import Append, Commit, Log, Note, Topic, TopicGone


class LocalProducer:
    """See `TopicProducer`."""

    def __init__(self, log: Log) -> None:
        self._writing = Writing(log)

    async def start(self) -> None:
        """Nothing to open."""

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """One entry per partition, all or nothing."""
        if records:
            await self._writing.write([(topic, records)])

    async def transact(
        self,
        sends: Sequence[tuple[str, Sequence[Record]]],
        consumer: TopicConsumer,
        offsets: Mapping[TopicPartition, int],
    ) -> None:
        """Outputs and offsets in one transaction of the log."""
        if not isinstance(consumer, LocalConsumer):
            raise TopicError("outputs and offsets can be committed together only on one broker")
        await self._writing.write(sends, consumer.commits(offsets))
        consumer.committed(offsets)

    async def close(self) -> None:
        """Nothing to close."""


class Writing:
    """Hands records to a log, divided among partitions."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._turn = 0

    async def write(
        self,
        sends: Sequence[tuple[str, Sequence[Record]]],
        commits: Sequence[Commit] = (),
        note: Note | None = None,
    ) -> None:
        """All of it, or nothing."""
        encoded = [(topic, rows_of(records)) for topic, records in sends if records]
        try:
            await self._log.write(await self._appends(encoded), commits, note)
        except TopicGone:  # deleted, or deleted and created anew since it was looked up: look again, once
            for topic, _ in encoded:
                self._log.forget(topic)
            await self._log.write(await self._appends(encoded), commits, note)

    async def _appends(self, sends: Sequence[tuple[str, list[Row]]]) -> list[Append]:
        return [append for name, rows in sends for append in self._divided(await self._log.topic(name), rows)]

    def _divided(self, topic: Topic, rows: list[Row]) -> list[Append]:
        partitions = topic.partitions
        if len(partitions) == 1:
            return [Append(partitions[0], rows)]
        self._turn += 1
        unkeyed = self._turn % len(partitions)
        divided: dict[int, list[Row]] = {}
        for row in rows:
            number = unkeyed if row[1] is None else partition_of(identity(row[1]), len(partitions))
            divided.setdefault(number, []).append(row)
        return [Append(partitions[number], part) for number, part in divided.items()]
