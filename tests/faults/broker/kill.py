"""Kill processes that share embedded topics, at random moments, and count what was lost or seen twice.

    python tests/faults/broker/kill.py --kills 2000

Every victim sends numbered records to `input` and moves records from `input` to `output` exactly once, as a member of
one consumer group. Two are alive at a time. A victim reports what was acknowledged through a pipe; a report that was
cut off by the kill does not count as acknowledged. Victims are forked from this process, which has everything
imported, so that many die per second, some of them before the log is open.

Prints one JSON object; the exit status is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from langstream.errors import Fenced
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicCluster, TopicPartition, TopicSpec
from langstream.topics.embedded import open_cluster

PARTITIONS = 3
RECORDS_PER_SEND = 20


@dataclass
class Victim:
    """A forked process and the end of its pipe."""

    pid: int
    reports: int


async def _open(directory: Path) -> TopicCluster:
    cluster = open_cluster({"cleanup-interval-seconds": 0.05}, directory)
    await cluster.start()
    await cluster.admin.create(TopicSpec("input", PARTITIONS))
    await cluster.admin.create(TopicSpec("output", PARTITIONS))
    await cluster.admin.create(TopicSpec("state", 1, {"cleanup.policy": "compact"}))
    return cluster


async def _send(cluster: TopicCluster, name: str, reports: int) -> None:
    producer = cluster.producer()
    await producer.start()
    number = 0
    while True:
        names = [f"{name}-{number + step}" for step in range(RECORDS_PER_SEND)]
        await asyncio.gather(
            producer.send("input", [SimpleRecord(text, f"key-{hash(text) % 7}") for text in names]),
            producer.send("state", [SimpleRecord(text, name) for text in names]),
        )
        os.write(reports, f"{names[0]} {names[-1]}\n".encode())
        number += RECORDS_PER_SEND


async def _move(cluster: TopicCluster) -> None:
    consumer, producer = cluster.consumer("input", "mover"), cluster.producer()
    await consumer.start()
    while True:
        runs = await consumer.poll(100, 1.0)
        for run in runs:
            results = [SimpleRecord(record.value(), record.key()) for record in run.records]
            end = {TopicPartition(run.topic, run.partition): run.next_offset}
            with suppress(Fenced):
                await producer.transact([("output", results)], consumer, end)


async def _live(directory: Path, name: str, reports: int) -> None:
    cluster = await _open(directory)
    await asyncio.gather(_send(cluster, name, reports), _move(cluster))


def _fork(directory: Path, name: str) -> Victim:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Victim(pid, reading)
    os.close(reading)
    try:
        asyncio.run(_live(directory, name, writing))
    except BaseException as error:
        os.write(2, f"victim {name}: {error!r}\n".encode())
    os._exit(1)


def _end(victim: Victim) -> tuple[list[str], bool]:
    """Kill it. The names it was told are safe, and whether it was alive until now."""
    os.kill(victim.pid, signal.SIGKILL)
    _, status = os.waitpid(victim.pid, 0)
    with os.fdopen(victim.reports, "rb") as pipe:
        lines = pipe.read().decode().splitlines(keepends=True)
    acknowledged = []
    for line in lines:
        if line.endswith("\n"):
            first, last = line.split()
            name, start = first.rsplit("-", 1)
            stop = int(last.rsplit("-", 1)[1])
            acknowledged += [f"{name}-{number}" for number in range(int(start), stop + 1)]
    return acknowledged, os.WIFSIGNALED(status)


async def _everything(cluster: TopicCluster, topic: str) -> dict[int, list[SimpleRecord]]:
    reader = cluster.reader(topic, "earliest")
    await reader.start()
    found: dict[int, list[SimpleRecord]] = {}
    while runs := await reader.read(1000, 0.2):
        for run in runs:
            found.setdefault(run.partition, []).extend(run.records)
    return found


async def _verify(directory: Path, acknowledged: set[str]) -> dict[str, int | str]:
    cluster = await _open(directory)
    moving = asyncio.create_task(_move(cluster))
    while any(position.lag for position in await cluster.admin.positions("input")):  # type: ignore[attr-defined]  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    moving.cancel()
    source, target = await _everything(cluster, "input"), await _everything(cluster, "output")
    state = await _everything(cluster, "state")
    await cluster.close()
    sent = Counter(record.value() for records in source.values() for record in records)
    moved = Counter(record.value() for records in target.values() for record in records)
    last = {record.key(): record.value() for record in state.get(0, [])}
    newest: dict[str, int] = {}
    for text in acknowledged:
        name, number = text.rsplit("-", 1)
        newest[name] = max(newest.get(name, -1), int(number))
    connection = apsw.Connection(str(directory / "topics.db"))
    integrity = str(connection.pragma("integrity_check"))
    connection.close()
    return {
        "acknowledged": len(acknowledged),
        "lost": len(acknowledged - sent.keys()),
        "sent twice": sum(count - 1 for count in sent.values()),
        "moved": len(moved),
        "not moved": len(sent.keys() - moved.keys()),
        "moved twice": sum(count - 1 for count in moved.values()),
        "out of order": _out_of_order(source) + _out_of_order(target),
        "lost by compaction": sum(
            1 for name, number in newest.items() if int(last.get(name, "x--1").rsplit("-", 1)[1]) < number
        ),
        "integrity": integrity,
    }


def _out_of_order(partitions: dict[int, list[SimpleRecord]]) -> int:
    """Records of one sender with one key that overtook each other."""
    count = 0
    for records in partitions.values():
        last: dict[tuple[str, str], int] = {}
        for record in records:
            name, number = record.value().rsplit("-", 1)
            count += int(number) < last.get((name, record.key()), -1)
            last[name, record.key()] = int(number)
    return count


def run(kills: int, longest_seconds: float, seed: int) -> dict[str, int | str | float]:
    """The counts."""
    chance = random.Random(seed)
    acknowledged: set[str] = set()
    started = time.monotonic()
    early_deaths = 0
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        alive = [_fork(directory, "0-a"), _fork(directory, "0-b")]
        for number in range(1, kills + 1):
            time.sleep(chance.uniform(0, longest_seconds))
            names, killed = _end(alive.pop(chance.randrange(2)))
            early_deaths += not killed
            acknowledged.update(names)
            alive.append(_fork(directory, f"{number}-c"))
        time.sleep(longest_seconds)
        for victim in alive:
            names, killed = _end(victim)
            early_deaths += not killed
            acknowledged.update(names)
        counts = asyncio.run(_verify(directory, acknowledged))
    seconds = round(time.monotonic() - started, 1)
    return {"kills": kills + 2, "died by themselves": early_deaths, **counts, "seconds": seconds}


WRONG = ("died by themselves", "lost", "sent twice", "not moved", "moved twice", "out of order", "lost by compaction")


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--longest-seconds", type=float, default=0.15, help="longest time between two kills")
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.randrange(1 << 30)
    counts = run(arguments.kills, arguments.longest_seconds, seed)
    print(json.dumps({"seed": seed, **counts}))
    return int(any(counts[name] for name in WRONG) or counts["integrity"] != "ok")


if __name__ == "__main__":
    sys.exit(main())
