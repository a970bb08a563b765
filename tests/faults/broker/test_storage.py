"""Full disks, locks, damage: a clear error, and work goes on when the cause is gone."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from langstream.errors import ApplicationRefused, BrokerUnavailable
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicPartition, TopicSpec
from langstream.topics.embedded import open_cluster
from langstream.topics.local.cluster import LocalCluster

Opener = Callable[..., Any]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens clusters over one directory; closes them at the end."""
    clusters: list[LocalCluster] = []

    async def open_with(**configuration: Any) -> LocalCluster:
        settings = {name.replace("_", "-"): value for name, value in configuration.items()}
        cluster = open_cluster(settings, tmp_path)
        await cluster.start()
        clusters.append(cluster)
        return cluster

    yield open_with
    for cluster in clusters:
        await cluster.close()


async def _send(cluster: LocalCluster, *values: Any) -> None:
    producer = cluster.producer()
    await producer.start()
    await producer.send("topic", [SimpleRecord(value) for value in values])


async def _values(cluster: LocalCluster) -> list[Any]:
    reader = cluster.reader("topic", "earliest")
    await reader.start()
    values = []
    while fetched := await reader.read(1000, 0.05):
        values += [record.value() for run in fetched for record in run.records]
    await reader.close()
    return values


async def _fill(cluster: LocalCluster) -> int:
    """Send until it is full; the number of records that were acknowledged."""
    for number in range(1000):
        try:
            await _send(cluster, f"{number}-" + "x" * 10_000)
        except BrokerUnavailable as error:
            if "topics.db" in str(error) and "the disk is full" in str(error):
                return number
            raise
    raise AssertionError("it was never full")


async def test_a_full_log_says_so_and_keeps_what_was_acknowledged(opened: Opener) -> None:
    cluster = await opened(max_bytes=1 << 20)
    await cluster.admin.create(TopicSpec("topic"))
    acknowledged = await _fill(cluster)
    assert [int(value.split("-")[0]) for value in await _values(cluster)] == list(range(acknowledged))


async def test_a_full_log_goes_on_when_retention_makes_room(opened: Opener) -> None:
    cluster = await opened(max_bytes=1 << 20)
    await cluster.admin.create(TopicSpec("topic", 1, {"retention.bytes": 200_000}))
    await _fill(cluster)
    await cluster.maintain()
    await _send(cluster, "after")
    assert (await _values(cluster))[-1] == "after"


async def test_a_full_log_goes_on_when_a_topic_is_deleted(opened: Opener) -> None:
    cluster = await opened(max_bytes=1 << 20)
    await cluster.admin.create(TopicSpec("topic"))
    await cluster.admin.create(TopicSpec("other"))
    await _fill(cluster)
    await cluster.admin.delete("topic")
    await cluster.maintain()
    await cluster.admin.create(TopicSpec("topic"))
    await _send(cluster, "after")
    assert await _values(cluster) == ["after"]


async def test_a_transaction_on_a_full_log_commits_nothing(opened: Opener) -> None:
    cluster = await opened(max_bytes=1 << 20)
    await cluster.admin.create(TopicSpec("topic"))
    await _fill(cluster)
    consumer, producer = cluster.consumer("topic", "group"), cluster.producer()
    await consumer.start()
    await consumer.poll(1, 5.0)
    with pytest.raises(BrokerUnavailable):
        await producer.transact([("topic", [SimpleRecord("x" * 100_000)])], consumer, {TopicPartition("topic", 0): 1})
    (position,) = await cluster.admin.positions("topic")
    assert position.committed == 0


def test_a_disk_that_refuses_writes_is_reported_and_recovered_from(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk; it needs a process of its own."""
    program = """
        import asyncio, resource, sys
        from pathlib import Path
        from langstream.errors import BrokerUnavailable
        from langstream.records import SimpleRecord
        from langstream.topics.contract import TopicSpec
        from langstream.topics.embedded import open_cluster

        async def main():
            cluster = open_cluster({}, Path(sys.argv[1]))
            await cluster.start()
            await cluster.admin.create(TopicSpec("topic"))
            producer = cluster.producer()
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
            sent = refused = 0
            while refused < 3:
                try:
                    await producer.send("topic", [SimpleRecord(f"{sent}-" + "x" * 10_000)])
                    sent += 1
                except BrokerUnavailable as error:
                    assert "topics.db" in str(error) and "disk" in str(error), error
                    refused += 1
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            for _ in range(200):
                await producer.send("topic", [SimpleRecord(f"{sent}-" + "x" * 10_000)])
                sent += 1
            reader = cluster.reader("topic", "earliest")
            await reader.start()
            numbers = []
            while fetched := await reader.read(1000, 0.05):
                numbers += [int(record.value().split("-")[0]) for run in fetched for record in run.records]
            assert numbers == list(range(sent)), numbers
            await cluster.close()
            print("sent", sent)

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 200


def _locked(directory: Path) -> apsw.Connection:
    """A lock as of another program. (`sqlite3` would not do: locks of one process do not hold against its own.)"""
    other = apsw.Connection(str(directory / "topics.db"))
    other.execute("BEGIN IMMEDIATE")
    return other


async def test_a_locked_file_is_reported_and_recovered_from(opened: Opener, tmp_path: Path) -> None:
    cluster = await opened(lock_timeout_seconds=0.2)
    await cluster.admin.create(TopicSpec("topic"))
    await _send(cluster, "before")
    other = _locked(tmp_path)
    with pytest.raises(BrokerUnavailable, match=r"topics.db.*locked"):
        await _send(cluster, "during")
    assert await _values(cluster) == ["before"]
    other.execute("ROLLBACK")
    other.close()
    await _send(cluster, "after")
    assert await _values(cluster) == ["before", "after"]


async def test_a_short_lock_is_waited_for(opened: Opener, tmp_path: Path) -> None:
    cluster = await opened()
    await cluster.admin.create(TopicSpec("topic"))
    other = _locked(tmp_path)
    sending = asyncio.create_task(_send(cluster, "patient"))
    await asyncio.sleep(0.1)
    assert not sending.done()
    other.execute("ROLLBACK")
    other.close()
    await sending
    assert await _values(cluster) == ["patient"]


async def test_a_consumer_survives_a_locked_file(opened: Opener, tmp_path: Path) -> None:
    cluster = await opened(lock_timeout_seconds=0.1)
    await cluster.admin.create(TopicSpec("topic", 2))
    first = cluster.consumer("topic", "group")
    await first.start()
    other = _locked(tmp_path)
    second = cluster.consumer("topic", "group")
    with pytest.raises(BrokerUnavailable):
        await second.start()
    other.execute("ROLLBACK")
    other.close()
    await second.close()
    await _send(cluster, "after")
    assert await first.poll(10, 5.0)


async def _start(directory: Path) -> None:
    cluster = open_cluster({"lock-timeout-seconds": 0.1}, directory)
    await cluster.start()
    await cluster.close()


async def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("something")
    with pytest.raises(BrokerUnavailable, match=r"data.*topics.db.*not available"):
        await _start(tmp_path / "data")


async def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "topics.db").mkdir()
    with pytest.raises(BrokerUnavailable, match="cannot be opened"):
        await _start(tmp_path)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "topics.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(BrokerUnavailable, match=r"damaged.*backup"):
        await _start(tmp_path)


async def test_a_database_of_something_else(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "topics.db")
    other.execute("CREATE TABLE notes (text)")
    other.close()
    with pytest.raises(BrokerUnavailable, match="database of something else"):
        await _start(tmp_path)


async def test_a_file_of_a_later_version(tmp_path: Path) -> None:
    await _start(tmp_path)
    other = sqlite3.connect(tmp_path / "topics.db")
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(BrokerUnavailable, match="another version"):
        await _start(tmp_path)


async def test_damage_inside_the_file(opened: Opener, tmp_path: Path) -> None:
    cluster = await opened()
    await cluster.admin.create(TopicSpec("topic"))
    for number in range(50):
        await _send(cluster, f"{number}" + "x" * 20_000)
    await cluster.close()
    with (tmp_path / "topics.db").open("r+b") as file:
        file.seek(8192 * 2)
        file.write(b"\xa5" * 8192 * 60)
    cluster = await opened()
    with pytest.raises(BrokerUnavailable, match="damaged"):
        await _values(cluster)


async def test_wrong_settings_are_all_reported(tmp_path: Path) -> None:
    with pytest.raises(ApplicationRefused) as refused:
        open_cluster({"sync": "never", "max-byte": 5, "lock-timeout-seconds": "soon"}, tmp_path)
    assert len(refused.value.problems) == 3
    assert "max-bytes" in str(refused.value)


async def test_a_cluster_without_a_directory_is_refused() -> None:
    with pytest.raises(ApplicationRefused, match="directory"):
        open_cluster({}, None)


async def test_the_directory_can_be_set(tmp_path: Path) -> None:
    cluster = open_cluster({"directory": str(tmp_path / "a" / "b")}, None)
    await cluster.start()
    await cluster.close()
    assert (tmp_path / "a" / "b" / "topics.db").exists()
