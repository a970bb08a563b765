"""A process that dies or hangs loses its partitions to the others."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest

from langstream.records import SimpleRecord
from langstream.topics.contract import TopicSpec
from langstream.topics.embedded import open_cluster
from langstream.topics.local.cluster import LocalCluster
from langstream.topics.local.consumer import LocalConsumer

MEMBER = """
    import asyncio, sys
    from pathlib import Path
    from langstream.errors import Fenced
    from langstream.records import SimpleRecord
    from langstream.topics.contract import TopicPartition
    from langstream.topics.embedded import open_cluster

    async def main():
        cluster = open_cluster({"session-timeout-seconds": 2}, Path(sys.argv[1]))
        await cluster.start()
        consumer, producer = cluster.consumer("topic", "group"), cluster.producer()
        await consumer.start()
        runs = await consumer.poll(10, 10)
        print("polled", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        try:
            ends = {TopicPartition(run.topic, run.partition): run.next_offset for run in runs}
            await producer.transact([("output", [SimpleRecord("late")])], consumer, ends)
            print("committed", flush=True)
        except Fenced:
            print("fenced", flush=True)
        await cluster.close()

    asyncio.run(main())
"""


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LocalCluster]:
    """The surviving process: this one."""
    cluster = open_cluster({"session-timeout-seconds": 2}, tmp_path)
    await cluster.start()
    await cluster.admin.create(TopicSpec("topic", 2))
    await cluster.admin.create(TopicSpec("output"))
    producer = cluster.producer()
    await producer.send("topic", [SimpleRecord(str(number), str(number)) for number in range(10)])
    yield cluster
    await cluster.close()


@pytest.fixture
def member(tmp_path: Path, cluster: LocalCluster) -> Iterator[subprocess.Popen[str]]:
    """Another process that polled every record and holds them."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(MEMBER), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "polled\n"
        yield process
        process.kill()


async def _takes_over(consumer: LocalConsumer) -> None:
    async with asyncio.timeout(30):
        count = 0
        while count < 10:
            count += sum(len(run.records) for run in await consumer.poll(10, 5.0))
    assert count == 10
    assert len(consumer.assignment()) == 2


def _stop_between_transactions(member: subprocess.Popen[str], file: Path) -> None:
    """
    A process stopped while it writes keeps SQLite's lock, and nobody can write until it goes on: another story.

    Whether it does is seen from outside: the lock can be had, or not.
    """
    for _ in range(200):
        os.kill(member.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, member.pid, os.WSTOPPED | os.WNOWAIT)
        connection = apsw.Connection(str(file))
        connection.set_busy_timeout(500)  # this process writes too, for a moment each time
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            return
        except apsw.BusyError:
            os.kill(member.pid, signal.SIGCONT)
            time.sleep(0.01)
        finally:
            connection.close()
    pytest.fail("the process was stopped 200 times, and wrote each time")


async def test_a_killed_process_is_replaced_by_a_member_that_waits(
    cluster: LocalCluster, member: subprocess.Popen[str]
) -> None:
    consumer = cluster.consumer("topic", "group")
    await consumer.start()
    member.kill()
    await _takes_over(consumer)


async def test_a_killed_process_is_replaced_by_a_member_that_comes_later(
    cluster: LocalCluster, member: subprocess.Popen[str]
) -> None:
    member.kill()
    member.wait()
    consumer = cluster.consumer("topic", "group")
    await consumer.start()
    assert len(consumer.assignment()) == 2


async def test_a_hanging_process_is_replaced_and_fenced_when_it_goes_on(
    tmp_path: Path, cluster: LocalCluster, member: subprocess.Popen[str]
) -> None:
    assert member.stdin is not None
    assert member.stdout is not None
    _stop_between_transactions(member, tmp_path / "topics.db")
    consumer = cluster.consumer("topic", "group")
    await consumer.start()
    await _takes_over(consumer)
    os.kill(member.pid, signal.SIGCONT)
    member.stdin.write("go on\n")
    member.stdin.flush()
    assert await asyncio.to_thread(member.stdout.readline) == "fenced\n"
    description = await cluster.admin.describe("output")
    assert description is not None
    assert description.records == 0
