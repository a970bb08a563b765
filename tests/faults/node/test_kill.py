"""A process is killed (SIGKILL) at random moments while its pipeline works through numbered records.

Counted at the end: records lost, records doubled, records out of the order of their key. All three have to be 0 where
input and output are topics of the embedded broker. `LANGSTREAM_FAULT_SECONDS=600` makes the killing last longer.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import pytest

from langstream.records import SimpleRecord
from langstream.topics.contract import TopicSpec
from langstream.topics.embedded import open_cluster
from langstream.topics.local.cluster import LocalCluster

SECONDS = float(os.environ.get("LANGSTREAM_FAULT_SECONDS", "7"))
KEYS = 13
TOPICS = """
topics:
- {name: in, creation-mode: create-if-not-exists, partitions: 3}
- {name: out, creation-mode: create-if-not-exists, partitions: 2}
- {name: in-deadletter, creation-mode: create-if-not-exists, partitions: 3}
"""
STRAIGHT = """
pipeline:
- type: compute
  input: in
  resources: {parallelism: 2}
  configuration: {when: "value.n >= 0", fields: [{name: value.double, expression: "value.n * 2"}]}
- type: drop-fields
  output: out
  resources: {parallelism: 2}
  configuration: {fields: [noise], part: value}
"""
ASYNCHRONOUS = """
errors: {on-failure: dead-letter, retries: 3}
pipeline:
- type: compute
  input: in
  configuration: {fields: [{name: value.double, expression: "value.n * 2"}]}
- type: python-processor
  output: out
  configuration: {className: moody.Agent}
"""
MOODY = """
import asyncio
import random

class Agent:
    async def process(self, record):
        await asyncio.sleep(random.choice([0, 0, 0.001, 0.01]))
        if random.random() < 0.02:
            raise ConnectionError("not now")
        return [record]
"""


class Victim:
    """The process, started again after every kill."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: Process | None = None

    async def start(self) -> None:
        script = Path(__file__).with_name("application.py")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(script), str(self._directory), stdout=DEVNULL, stderr=PIPE
        )

    async def kill(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        if self._process.returncode is not None:
            raise AssertionError((await self._process.stderr.read()).decode())
        self._process.send_signal(signal.SIGKILL)
        await self._process.communicate()


async def feed(cluster: LocalCluster, stop: asyncio.Event) -> int:
    """Send numbered records until told to stop; how many."""
    producer = cluster.producer()
    await producer.start()
    count = 0
    while not stop.is_set():
        numbers = range(count, count + random.randint(1, 200))
        await producer.send(
            "in", [SimpleRecord(f'{{"n": {number}, "noise": 1}}', str(number % KEYS)) for number in numbers]
        )
        count = numbers.stop
        await asyncio.sleep(0.02)
    return count


async def finished(cluster: LocalCluster, count: int) -> None:
    """Wait until the group has everything behind it."""
    async with asyncio.timeout(90):
        while sum(position.committed for position in await cluster.admin.positions("in")) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.2)  # nobody in this process knows


async def numbers_in(cluster: LocalCluster, topic: str) -> list[tuple[str, int]]:
    """Key and number of everything in a topic, in the order of its partitions."""
    import json

    described = await cluster.admin.describe(topic)
    assert described is not None
    reader = cluster.reader(topic, "earliest")
    await reader.start()
    found: list[tuple[str, int]] = []
    while len(found) < (described.records or 0):
        for run in await reader.read(10_000, 1.0):
            found += [(record.key(), json.loads(record.value())["n"]) for record in run.records]
    await reader.close()
    return found


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 2 + 180)
@pytest.mark.parametrize("pipeline", [STRAIGHT, ASYNCHRONOUS], ids=["straight", "asynchronous"])
async def test_nothing_is_lost_doubled_or_out_of_order(pipeline: str, tmp_path: Path) -> None:
    application = tmp_path / "application"
    (application / "python").mkdir(parents=True)
    (application / "pipeline.yaml").write_text(TOPICS + pipeline)
    (application / "python" / "moody.py").write_text(MOODY)
    cluster = open_cluster({"session-timeout-seconds": 2}, tmp_path / "data")
    await cluster.start()
    await cluster.admin.create(TopicSpec("in", 3))
    victim, stop = Victim(tmp_path), asyncio.Event()
    feeding = asyncio.create_task(feed(cluster, stop))
    kills = 0
    deadline = asyncio.get_running_loop().time() + SECONDS
    while asyncio.get_running_loop().time() < deadline:
        await victim.start()
        await asyncio.sleep(random.uniform(0.8, 3.0))
        await victim.kill()
        kills += 1
    stop.set()
    count = await feeding
    await victim.start()
    await finished(cluster, count)
    await victim.kill()
    passed = await numbers_in(cluster, "out")
    letters = await numbers_in(cluster, "in-deadletter")
    await cluster.close()
    numbers = [number for _, number in passed + letters]
    lost = set(range(count)) - set(numbers)
    doubled = len(numbers) - len(set(numbers))
    last: dict[str, int] = {}
    disordered = 0
    for key, number in passed:
        disordered += number < last.get(key, -1)
        last[key] = number
    print(f"{kills} kills, {count} records: {len(lost)} lost, {doubled} doubled, {disordered} out of order")
    assert kills > 2
    assert passed
    assert (len(lost), doubled, disordered) == (0, 0, 0)
