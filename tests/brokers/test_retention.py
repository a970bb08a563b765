"""Retention by time and size, and compaction."""

from __future__ import annotations

import time
from typing import Any

import pytest

from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition

HOUR = 3_600_000


@pytest.fixture(autouse=True)
def _needs_maintenance(broker: Any) -> None:
    if not broker.maintains:
        pytest.skip("this broker cleans up when it likes")


def _now() -> int:
    return int(time.time() * 1000)


async def test_records_older_than_the_retention_time_go(bench: Any) -> None:
    topic = await bench.topic(retention_ms=HOUR)
    await bench.send(topic, SimpleRecord("old", timestamp=_now() - 2 * HOUR))
    await bench.send(topic, SimpleRecord("young", timestamp=_now() - HOUR // 2), "new")
    await bench.cluster.maintain()
    assert await bench.values(topic) == ["young", "new"]
    assert (await bench.cluster.admin.describe(topic)).records == 2


async def test_without_a_limit_everything_stays(bench: Any) -> None:
    topic = await bench.topic(retention_ms=-1, retention_bytes=-1)
    await bench.send(topic, SimpleRecord("old", timestamp=0))
    await bench.cluster.maintain()
    assert await bench.values(topic) == ["old"]


async def test_an_emptied_topic_counts_on(bench: Any) -> None:
    topic = await bench.topic(retention_ms=HOUR)
    await bench.send(topic, SimpleRecord("old", timestamp=0))
    await bench.cluster.maintain()
    await bench.send(topic, "new")
    consumer = await bench.consumer(topic)
    (run,) = await bench.poll(consumer, 1)
    assert list(run.offsets) == [1]


async def test_a_partition_keeps_about_its_size(bench: Any) -> None:
    topic = await bench.topic(retention_bytes=10_000)
    for number in range(100):
        await bench.send(topic, str(number).ljust(1000))
    await bench.cluster.maintain()
    kept = [int(value) for value in await bench.values(topic)]
    assert kept == list(range(100 - len(kept), 100))
    assert 9 <= len(kept) <= 12
    assert (await bench.cluster.admin.describe(topic)).records == len(kept)


async def test_the_last_record_survives_any_size(bench: Any) -> None:
    topic = await bench.topic(retention_bytes=1)
    await bench.send(topic, "a" * 100)
    await bench.send(topic, "b" * 100)
    await bench.cluster.maintain()
    assert await bench.values(topic) == ["b" * 100]


async def test_a_group_behind_the_kept_records_goes_on_at_the_first(bench: Any) -> None:
    topic = await bench.topic(retention_ms=HOUR)
    await bench.send(topic, *(SimpleRecord(str(number), timestamp=0) for number in range(5)))
    consumer = await bench.consumer(topic)
    await consumer.commit({TopicPartition(topic, 0): 1})
    await consumer.close()
    await bench.cluster.maintain()
    await bench.send(topic, "new")
    consumer = await bench.consumer(topic)
    assert await consumer.lag() == {TopicPartition(topic, 0): 1}
    runs = await bench.poll(consumer, 1)
    assert bench.texts(runs) == ["new"]
    await consumer.commit(bench.ends(runs))
    assert await consumer.lag() == {TopicPartition(topic, 0): 0}


async def test_compaction_keeps_the_last_record_of_every_key(bench: Any) -> None:
    topic = await bench.topic(cleanup_policy="compact")
    for number in range(30):
        await bench.send(topic, SimpleRecord(str(number), f"key-{number % 3}"), SimpleRecord(f"free-{number}"))
    await bench.cluster.maintain()
    records = await bench.read(topic)
    keyed = {record.key(): record.value() for record in records if record.key()}
    assert keyed == {"key-0": "27", "key-1": "28", "key-2": "29"}
    assert len([record for record in records if record.key()]) == 3
    assert len([record for record in records if record.key() is None]) == 30
    assert (await bench.cluster.admin.describe(topic)).records == 33


async def test_compaction_goes_on_where_it_stopped(bench: Any) -> None:
    topic = await bench.topic(cleanup_policy="compact")
    for round_ in range(3):
        for number in range(5):
            await bench.send(topic, SimpleRecord(f"{round_}-{number}", "key"), SimpleRecord("x", f"other-{round_}"))
        await bench.send(topic, SimpleRecord("tail", "tail"))
        await bench.cluster.maintain()
    found = {record.key(): record.value() for record in await bench.read(topic)}
    assert found == {"key": "2-4", "other-0": "x", "other-1": "x", "other-2": "x", "tail": "tail"}
    assert len([record for record in await bench.read(topic) if record.key() == "key"]) == 1


async def test_offsets_stay_with_their_records_through_compaction(bench: Any) -> None:
    topic = await bench.topic(cleanup_policy="compact")
    await bench.send(topic, *(SimpleRecord(str(number), f"key-{number % 4}") for number in range(10)))
    await bench.send(topic, SimpleRecord("tail", "tail"))
    await bench.cluster.maintain()
    consumer = await bench.consumer(topic)
    runs = await bench.poll(consumer, 5)
    pairs = [(offset, record.value()) for run in runs for offset, record in zip(run.offsets, run.records, strict=True)]
    assert pairs == [(6, "6"), (7, "7"), (8, "8"), (9, "9"), (10, "tail")]


async def test_an_old_tombstone_goes_and_a_young_one_stays(bench: Any) -> None:
    topic = await bench.topic(cleanup_policy="compact", delete_retention_ms=HOUR)
    await bench.send(topic, SimpleRecord("a", "old", timestamp=0), SimpleRecord("b", "young", timestamp=0))
    await bench.send(topic, SimpleRecord(None, "old", timestamp=0), SimpleRecord(None, "young"))
    await bench.send(topic, "tail")
    await bench.cluster.maintain()
    assert [(record.key(), record.value()) for record in await bench.read(topic)] == [("young", None), (None, "tail")]


async def test_compaction_does_not_mix_up_text_bytes_and_avro(bench: Any) -> None:
    topic = await bench.topic(cleanup_policy="compact")
    await bench.send(topic, SimpleRecord("1", "key"), SimpleRecord("2", b"\xff"), SimpleRecord(b"3", "key"))
    await bench.send(topic, "tail")
    await bench.cluster.maintain()
    assert [record.value() for record in await bench.read(topic)] == ["2", b"3", "tail"]


async def test_retention_does_not_trim_a_compacted_topic(bench: Any) -> None:
    topic = await bench.topic(cleanup_policy="compact", retention_ms=1)
    await bench.send(topic, SimpleRecord("a", "key", timestamp=0))
    await bench.cluster.maintain()
    assert await bench.values(topic) == ["a"]


async def test_a_group_can_commit_across_gaps(bench: Any) -> None:
    topic = await bench.topic(cleanup_policy="compact")
    await bench.send(topic, *(SimpleRecord(str(number), "key") for number in range(10)))
    await bench.send(topic, SimpleRecord("tail", "tail"))
    await bench.cluster.maintain()
    consumer = await bench.consumer(topic)
    runs = await bench.poll(consumer, 2)
    assert bench.texts(runs) == ["9", "tail"]
    await consumer.commit(bench.ends(runs))
    assert set((await consumer.lag()).values()) == {0}
