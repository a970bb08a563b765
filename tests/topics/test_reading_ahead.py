"""A consumer of a local broker reads on while its records are worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from langstream.errors import TopicError
from langstream.records import SimpleRecord
from langstream.topics.contract import Fetched, TopicConsumer, TopicSpec
from langstream.topics.local.cluster import LocalCluster
from langstream.topics.local.log import Run
from langstream.topics.memory.log import MemoryLog

RECORDS = 5_000


class CountedLog(MemoryLog):
    """Tells where it was read, and refuses to be read if told so."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets: list[int] = []
        self.refuses = False

    async def read(self, partition: int, offset: int, max_records: int) -> Sequence[Run]:
        self.offsets.append(offset)
        await asyncio.sleep(0)
        if self.refuses:
            raise TopicError("no reading")
        return await super().read(partition, offset, max_records)


@pytest.fixture
def log() -> CountedLog:
    return CountedLog()


@pytest.fixture
async def consumer(log: CountedLog) -> AsyncIterator[TopicConsumer]:
    cluster = LocalCluster(log)
    await cluster.start()
    await cluster.admin.create(TopicSpec("t"))
    producer = cluster.producer()
    await producer.start()
    for start in range(0, RECORDS, 1_000):
        await producer.send("t", [SimpleRecord(str(number)) for number in range(start, start + 1_000)])
    consumer = cluster.consumer("t", "g")
    await consumer.start()
    yield consumer
    await consumer.close()
    await cluster.close()


def values(fetched: Sequence[Fetched]) -> list[str]:
    return [record.value() for run in fetched for record in run.records]


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_next_reading_begins_when_the_last_records_are_handed_out(
    log: CountedLog, consumer: TopicConsumer
) -> None:
    read: list[str] = []
    while len(read) < 2_000:
        read += values(await consumer.poll(1_000, 1))
    await turns()
    assert log.offsets == [0, 2_000]
    while len(read) < RECORDS:
        read += values(await consumer.poll(700, 1))
    assert read == [str(number) for number in range(RECORDS)]
    assert len(log.offsets) == len(set(log.offsets))


async def test_at_the_end_of_the_topic_nobody_reads_on(log: CountedLog, consumer: TopicConsumer) -> None:
    read = 0
    while read < RECORDS:
        read += len(values(await consumer.poll(1_000, 1)))
    await turns()
    readings = len(log.offsets)
    await turns()
    assert len(log.offsets) == readings
    assert await consumer.poll(1_000, 0) == ()


async def test_a_poll_that_is_cancelled_loses_nothing(log: CountedLog, consumer: TopicConsumer) -> None:
    read: list[str] = []
    while len(read) < RECORDS:
        polling = asyncio.create_task(consumer.poll(1_000, 1))
        for _ in range(len(read) % 4):
            await asyncio.sleep(0)
        if polling.done() or not polling.cancel():
            read += values(await polling)
        await asyncio.wait([polling])
        read += values(await consumer.poll(37, 1))
    assert read == [str(number) for number in range(len(read))]


async def test_what_goes_wrong_is_told_by_the_next_poll(log: CountedLog, consumer: TopicConsumer) -> None:
    assert len(values(await consumer.poll(2_000, 1))) == 2_000
    log.refuses = True
    await turns()
    with pytest.raises(TopicError, match="no reading"):
        await consumer.poll(1_000, 1)
    log.refuses = False
    assert values(await consumer.poll(1_000, 1))[0] == "2000"


async def test_a_consumer_closes_while_it_reads(log: CountedLog, consumer: TopicConsumer) -> None:
    await consumer.poll(2_000, 1)
    log.refuses = True
    await consumer.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("reading")]
