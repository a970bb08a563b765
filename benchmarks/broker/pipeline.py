"""The embedded broker against the same work done by hand, in one run.

    python benchmarks/broker/pipeline.py [--records 200000] [--batch 500] [--sync full|normal] [--rounds 3]

`loop` is a durable pipeline: read a batch, parse the JSON values, change a field, write the results and commit the
offsets in one transaction. The bare loop does the same with SQLite (rows in a table, `executemany`) and orjson alone,
with both bindings to SQLite: `sqlite3` of Python and `apsw`. The ratios say how much of the bare loop's speed is left;
speeds are the best of the rounds, which alternate.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import orjson

from langstream.records import Document, SimpleRecord
from langstream.topics.contract import TopicCluster, TopicPartition, TopicSpec
from langstream.topics.embedded import open_cluster

VALUE = {"id": 1, "name": "n" * 20, "question": "what is a broker, and how fast is it? " * 3, "score": 0.5}
TEXT = orjson.dumps(VALUE).decode()


class Bare:
    """Rows in a table: what somebody would write without a broker."""

    def __init__(self, path: Path, sync: str, binding: str) -> None:
        connection: Any = (
            apsw.Connection(str(path)) if binding == "apsw" else sqlite3.connect(path, isolation_level=None)
        )
        self.close = connection.close
        self._execute: Callable[..., Any] = connection.execute
        self._executemany: Callable[..., Any] = connection.executemany
        for statement in (
            "PRAGMA journal_mode = wal",
            f"PRAGMA synchronous = {sync}",
            "CREATE TABLE source (o INTEGER PRIMARY KEY, ts INTEGER, k, v, h)",
            "CREATE TABLE target (o INTEGER PRIMARY KEY, ts INTEGER, k, v, h)",
            "CREATE TABLE offsets (name TEXT PRIMARY KEY, next INTEGER)",
        ):
            self._execute(statement)

    def fill(self, records: int, batch: int) -> None:
        """Write the source."""
        now = time.time_ns() // 1_000_000
        for start in range(0, records, batch):
            self._execute("BEGIN IMMEDIATE")
            self._executemany(
                "INSERT INTO source VALUES (?,?,?,?,?)",
                [(o, now, None, TEXT, None) for o in range(start, start + batch)],
            )
            self._execute("COMMIT")

    def loop(self, records: int, batch: int) -> None:
        """Read, parse, change, write and commit."""
        for start in range(0, records, batch):
            rows = self._execute("SELECT o, ts, k, v, h FROM source WHERE o >= ? ORDER BY o LIMIT ?", (start, batch))
            results = []
            for o, ts, k, v, h in rows.fetchall():
                value = orjson.loads(v)
                value["score"] += 1
                results.append((o, ts, k, orjson.dumps(value).decode(), h))
            self._execute("BEGIN IMMEDIATE")
            self._executemany("INSERT INTO target VALUES (?,?,?,?,?)", results)
            self._execute("INSERT OR REPLACE INTO offsets VALUES ('group', ?)", (start + batch,))
            self._execute("COMMIT")


def changed(record: SimpleRecord) -> SimpleRecord:
    """The transform of the pipeline: one field of the document."""
    document = record.parsed_value()
    return record.with_value(Document({**document.content, "score": document.content["score"] + 1}))


async def fill(cluster: TopicCluster, records: int, batch: int) -> None:
    """Send the source in batches."""
    producer = cluster.producer()
    await producer.start()
    for _ in range(0, records, batch):
        await producer.send("source", [SimpleRecord(TEXT) for _ in range(batch)])


async def fill_one_by_one(cluster: TopicCluster, records: int, senders: int) -> None:
    """Many senders with one record at a time, as behind a gateway."""
    producer = cluster.producer()
    await producer.start()

    async def send() -> None:
        for _ in range(records // senders):
            await producer.send("singles", [SimpleRecord(TEXT)])

    await asyncio.gather(*(send() for _ in range(senders)))


async def read(cluster: TopicCluster, records: int, batch: int) -> None:
    """Read everything."""
    reader = cluster.reader("source", "earliest")
    await reader.start()
    while records > 0:
        records -= sum(len(run.records) for run in await reader.read(batch, 5))


async def loop(cluster: TopicCluster, records: int, batch: int) -> None:
    """The pipeline, exactly once."""
    consumer, producer = cluster.consumer("source", "group"), cluster.producer()
    await consumer.start()
    await producer.start()
    while records > 0:
        runs = await consumer.poll(batch, 5)
        results = [changed(record) for run in runs for record in run.records]
        offsets = {TopicPartition(run.topic, run.partition): run.next_offset for run in runs}
        await producer.transact([("target", results)], consumer, offsets)
        records -= len(results)


async def latency(cluster: TopicCluster, directory: Path) -> float:
    """Median milliseconds from a send to the return of a waiting poll, in another cluster on the same file."""
    other = open_cluster({}, directory)
    await other.start()
    consumer, producer = other.consumer("pings", "group"), cluster.producer()
    await consumer.start()
    await producer.start()
    took = []
    for _ in range(100):
        waiting = asyncio.create_task(consumer.poll(1, 10))
        await asyncio.sleep(0.03)
        start = time.perf_counter()
        await producer.send("pings", [SimpleRecord("ping")])
        await waiting
        took.append((time.perf_counter() - start) * 1000)
    await other.close()
    return sorted(took)[50]


async def broker(directory: Path, sync: str, records: int, batch: int) -> dict[str, float]:
    """Records per second."""
    cluster = open_cluster({"sync": sync}, directory)
    await cluster.start()
    for name in ("source", "target", "singles", "pings"):
        await cluster.admin.create(TopicSpec(name))
    speeds = {}
    for name, work in (
        ("send", fill(cluster, records, batch)),
        ("read", read(cluster, records, batch)),
        ("loop", loop(cluster, records, batch)),
    ):
        start = time.perf_counter()
        await work
        speeds[name] = records / (time.perf_counter() - start)
    start = time.perf_counter()
    await fill_one_by_one(cluster, records // 10, 100)
    speeds["send one by one, 100 senders"] = records / 10 / (time.perf_counter() - start)
    speeds["wake-up across processes, ms"] = await latency(cluster, directory)
    await cluster.close()
    return speeds


def bare(path: Path, sync: str, records: int, batch: int, binding: str) -> dict[str, float]:
    """Records per second."""
    log = Bare(path, sync, binding)
    speeds = {}
    for name, work in (("send", log.fill), ("loop", log.loop)):
        start = time.perf_counter()
        work(records, batch)
        speeds[name] = records / (time.perf_counter() - start)
    log.close()
    return speeds


def keep_best(best: dict[str, float], speeds: dict[str, float]) -> None:
    """The higher speed, the lower time."""
    for name, speed in speeds.items():
        choose = min if name.endswith("ms") else max
        best[name] = choose(best.get(name, speed), speed)


def main() -> None:
    """Print both and their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--sync", choices=("full", "normal"), default="full")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sizes = (arguments.sync, arguments.records // arguments.batch * arguments.batch, arguments.batch)
    ours: dict[str, float] = {}
    others: dict[str, dict[str, float]] = {"sqlite3": {}, "apsw": {}}
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as directory:
            keep_best(ours, asyncio.run(broker(Path(directory), *sizes)))
            for binding, speeds in others.items():
                keep_best(speeds, bare(Path(directory) / f"bare-{binding}.db", *sizes, binding))
    print(f"embedded broker, sync {arguments.sync}, batches of {arguments.batch}, values of {len(TEXT)} bytes")
    for name, speed in ours.items():
        ratios = "".join(
            f"   {binding} {speeds[name]:>9,.0f}/s, ratio {speed / speeds[name]:.2f}"
            for binding, speeds in others.items()
            if name in speeds
        )
        unit = "" if name.endswith("ms") else "/s"
        print(f"{name:<30}{speed:>11,.{0 if unit else 1}f}{unit}{ratios}")


if __name__ == "__main__":
    main()
