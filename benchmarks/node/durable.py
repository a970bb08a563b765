"""Benchmark (a): a durable pipeline against a bare loop of the same SQLite and JSON calls.

The pipeline is an application as users write it: topic → `compute` with `when` → `drop-fields` → topic, planned and run
by `LocalDeployment` on the embedded broker, every output and offset durable. The peer is a loop without any product
around it: select 1,000 rows, parse, the same condition, field and removal, serialise, insert, store the offset, commit
with the same durability. Both in this process, one after the other, several rounds.

Prints records per second of both, and the ratio product / bare. Goal: at least 0.5.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import apsw
import orjson

from langstream.deploy.local import LocalDeployment
from langstream.planner.check import load_and_plan
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicCluster, TopicProducer
from langstream.topics.embedded import open_cluster

BATCH = 1_000
PIPELINE = """
topics:
- {name: readings, creation-mode: create-if-not-exists}
- {name: warm, creation-mode: create-if-not-exists}
pipeline:
- type: compute
  input: readings
  configuration:
    when: "value.celsius > 10"
    fields:
    - {name: value.fahrenheit, expression: "value.celsius * 2 + 32"}
- type: drop-fields
  output: warm
  configuration: {fields: [raw, note], part: value}
"""


def payload(number: int) -> str:
    document = {
        "id": number,
        "celsius": number % 40,
        "station": f"station-{number % 97}",
        "raw": "0af1-" * 8,
        "note": "nothing special",
        "position": {"latitude": 46.2 + number % 10, "longitude": 6.1, "altitude": 375},
        "tags": ["outdoor", "north"],
    }
    return orjson.dumps(document).decode()


def bare(directory: Path, records: int) -> float:
    """Records per second of the bare loop."""
    connection = apsw.Connection(str(directory / "bare.db"))
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA page_size=8192")
    columns = "offset INTEGER PRIMARY KEY, timestamp INTEGER, key TEXT, value TEXT, headers TEXT"
    connection.execute(f"CREATE TABLE readings ({columns}); CREATE TABLE warm ({columns})")
    connection.execute(
        "CREATE TABLE offsets (topic TEXT PRIMARY KEY, next INTEGER); INSERT INTO offsets VALUES ('readings', 0)"
    )
    with connection:
        connection.executemany(
            "INSERT INTO readings VALUES (?, ?, ?, ?, NULL)",
            ((number, 1_700_000_000_000, str(number % 97), payload(number)) for number in range(records)),
        )
    started = time.perf_counter()
    offset = 0
    while True:
        rows = connection.execute(
            "SELECT offset, timestamp, key, value, headers FROM readings WHERE offset >= ? ORDER BY offset LIMIT ?",
            (offset, BATCH),
        ).fetchall()
        if not rows:
            break
        out = []
        for _, timestamp, key, text, headers in rows:
            value = orjson.loads(text)
            if value["celsius"] > 10:
                value["fahrenheit"] = value["celsius"] * 2 + 32
            value.pop("raw", None)
            value.pop("note", None)
            out.append((timestamp, key, orjson.dumps(value).decode(), headers))
        offset = rows[-1][0] + 1
        with connection:
            connection.executemany("INSERT INTO warm (timestamp, key, value, headers) VALUES (?, ?, ?, ?)", out)
            connection.execute("UPDATE offsets SET next = ? WHERE topic = 'readings'", (offset,))
    seconds = time.perf_counter() - started
    connection.close()
    return records / seconds


async def product(directory: Path, records: int) -> float:
    """Records per second of the pipeline."""
    application = directory / "application"
    application.mkdir()
    (application / "pipeline.yaml").write_text(PIPELINE)
    cluster = open_cluster({}, directory / "data")
    await cluster.start()
    deployment = LocalDeployment(load_and_plan(application, "bench"), cluster, data_directory=directory / "data")
    await deployment.setup()
    producer = cluster.producer()
    await producer.start()
    await produce(producer, range(BATCH))  # start-up (imports, compiling) is measured elsewhere
    await deployment.start()
    await finished(cluster)
    await deployment.stop()
    await produce(producer, range(BATCH, records))
    started = time.perf_counter()
    await deployment.start()
    await finished(cluster)
    seconds = time.perf_counter() - started
    await deployment.stop()
    described = await cluster.admin.describe("warm")
    assert described is not None
    assert described.records == records
    await cluster.close()
    return (records - BATCH) / seconds


async def produce(producer: TopicProducer, numbers: range) -> None:
    """Write these readings, a batch at a time."""
    for start in range(numbers.start, numbers.stop, BATCH):
        batch = range(start, min(start + BATCH, numbers.stop))
        await producer.send("readings", [SimpleRecord(payload(number), str(number % 97)) for number in batch])


async def finished(cluster: TopicCluster) -> None:
    """Wait until everything is committed."""
    while True:
        positions = await cluster.admin.positions("readings")
        if positions and positions[0].lag == 0:
            return
        await asyncio.sleep(0.01)


def run_product(directory: Path, records: int) -> float:
    try:
        import uvloop

        factory = uvloop.new_event_loop
    except ImportError:
        factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(product(directory, records))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios = []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            loop = bare(Path(one), options.records)
            pipeline = run_product(Path(other), options.records)
        ratios.append(pipeline / loop)
        print(f"round {number + 1}: bare {loop:,.0f}/s, pipeline {pipeline:,.0f}/s, ratio {ratios[-1]:.2f}")
    print(f"ratio (median of {len(ratios)}): {statistics.median(ratios):.2f}   goal: >= 0.50")


if __name__ == "__main__":
    main()
