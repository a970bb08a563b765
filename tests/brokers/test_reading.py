"""Readers without a group."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langstream.errors import InvalidPosition
from langstream.topics.contract import encode_position


async def _reader(bench: Any, topic: str, position: Any) -> Any:
    reader = bench.cluster.reader(topic, position)
    await reader.start()
    return reader


async def _some(bench: Any, reader: Any, count: int) -> list[Any]:
    values: list[Any] = []
    while len(values) < count:
        fetched = await reader.read(count - len(values), 60.0)
        assert fetched
        values += bench.texts(fetched)
    return values


async def test_earliest_reads_everything(bench: Any) -> None:
    topic = await bench.topic(partitions=3)
    await bench.send(topic, *range(30))
    assert sorted(await bench.values(topic), key=int) == [str(number) for number in range(30)]


async def test_latest_reads_what_is_sent_after_the_start(bench: Any) -> None:
    topic = await bench.topic(partitions=2)
    await bench.send(topic, "old")
    reader = await _reader(bench, topic, "latest")
    assert not await reader.read(10, 0.05)
    await bench.send(topic, "new")
    assert await _some(bench, reader, 1) == ["new"]


async def test_a_reader_wakes_up_for_a_record(bench: Any) -> None:
    topic = await bench.topic()
    reader = await _reader(bench, topic, "latest")
    waiting = asyncio.create_task(reader.read(10, 60.0))
    await asyncio.sleep(0.05)
    await bench.send(topic, "new")
    assert bench.texts(await asyncio.wait_for(waiting, 60)) == ["new"]


async def test_readers_do_not_take_records_from_each_other_or_from_groups(bench: Any) -> None:
    topic = await bench.topic()
    await bench.send(topic, "a")
    consumer = await bench.consumer(topic)
    assert await bench.values(topic) == ["a"]
    assert await bench.values(topic) == ["a"]
    assert bench.texts(await bench.poll(consumer, 1)) == ["a"]


@pytest.mark.parametrize("taken", [0, 1, 13, 40])
async def test_a_position_misses_and_repeats_nothing(bench: Any, taken: int) -> None:
    topic = await bench.topic(partitions=3)
    await bench.send(topic, *range(20), key="a")
    await bench.send(topic, *range(20, 40), key="b")
    reader = await _reader(bench, topic, "earliest")
    before = await _some(bench, reader, taken)
    token = encode_position(reader.next_offsets())
    await reader.close()
    after = [record.value() for record in await bench.read(topic, token)]
    assert sorted(before + after, key=int) == [str(number) for number in range(40)]


async def test_a_position_of_latest_continues_there(bench: Any) -> None:
    topic = await bench.topic(partitions=2)
    await bench.send(topic, "old")
    reader = await _reader(bench, topic, "latest")
    token = encode_position(reader.next_offsets())
    await reader.close()
    await bench.send(topic, "new")
    assert [record.value() for record in await bench.read(topic, token)] == ["new"]


async def test_a_read_never_gives_more_than_asked(bench: Any) -> None:
    topic = await bench.topic(partitions=2)
    await bench.send(topic, *range(100), key="a")
    await bench.send(topic, *range(100), key="b")
    reader = await _reader(bench, topic, "earliest")
    for _ in range(20):
        assert sum(len(run.records) for run in await reader.read(9, 60.0)) <= 9


@pytest.mark.parametrize("token", [b"", b"nonsense", b"[1]", b'{"0":-1}', b'{"0":"a"}'])
async def test_a_wrong_position_is_refused(bench: Any, token: bytes) -> None:
    topic = await bench.topic()
    with pytest.raises(InvalidPosition):
        await _reader(bench, topic, token)


async def test_a_position_of_a_larger_topic_is_refused(bench: Any) -> None:
    topic = await bench.topic(partitions=2)
    with pytest.raises(InvalidPosition, match="partition 5"):
        await _reader(bench, topic, encode_position({0: 0, 5: 0}))
