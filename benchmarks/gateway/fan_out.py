"""What sessions cost: the same traffic for 1, 100 and 1,000 filtered sessions.

    python benchmarks/gateway/fan_out.py [--records 20000]

Every record is for exactly one session, so the work to be done is the same in every row; what grows is the number of
sessions that a record is not for. The peer, measured beside it, is one reader per session, each of which filters the
whole topic for itself; it gets fewer records, its cost per record is what is compared.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry

from langstream.gateway.filters import Filter
from langstream.gateway.metrics import GatewayMetrics
from langstream.gateway.subscription import Subscription
from langstream.gateway.tail import Tails
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicCluster, TopicSpec
from langstream.topics.memory import open_cluster

BATCH = 100


async def send(cluster: TopicCluster, records: int, sessions: int) -> None:
    producer = cluster.producer()
    await producer.start()
    for first in range(0, records, BATCH):
        numbers = range(first, min(records, first + BATCH))
        await producer.send("t", [SimpleRecord(f"v{n}", headers=[("user", str(n % sessions))]) for n in numbers])
        await asyncio.sleep(0)
    await producer.close()


def share(records: int, sessions: int, session: int) -> int:
    return records // sessions + (session < records % sessions)


async def shared(cluster: TopicCluster, records: int, sessions: int) -> float:
    metrics = GatewayMetrics(CollectorRegistry())
    tails = Tails(metrics, 0)

    async def follow(subscription: Subscription, count: int) -> None:
        for _ in range(count):
            await subscription.next()

    async with contextlib.AsyncExitStack() as stack:
        open_sessions = [
            await stack.enter_async_context(
                Subscription(tails, metrics, cluster, "t", Filter([("user", str(n))]), max_records=10_000)
            )
            for n in range(sessions)
        ]
        following = [
            asyncio.create_task(follow(each, share(records, sessions, n))) for n, each in enumerate(open_sessions)
        ]
        started = time.perf_counter()
        await send(cluster, records, sessions)
        await asyncio.gather(*following)
        seconds = time.perf_counter() - started
    await tails.close()
    return seconds / records


async def one_reader_each(cluster: TopicCluster, records: int, sessions: int) -> float:
    async def follow(session: int, count: int) -> None:
        filter = Filter([("user", str(session))])
        while count:
            for run in await readers[session].read(500, 5):
                count -= sum(filter.passes(record.header_items()) for record in run.records)

    readers = [cluster.reader("t", "latest") for _ in range(sessions)]
    for reader in readers:
        await reader.start()
    following = [asyncio.create_task(follow(n, share(records, sessions, n))) for n in range(sessions)]
    started = time.perf_counter()
    await send(cluster, records, sessions)
    await asyncio.gather(*following)
    seconds = time.perf_counter() - started
    for reader in readers:
        await reader.close()
    return seconds / records


async def main(options: Any) -> None:
    print("sessions   shared reader   one reader each   ratio   (µs per record, written, filtered and delivered)")
    for sessions in (1, 100, 1000):
        costs = []
        for way, records in ((shared, options.records), (one_reader_each, max(200, options.records // sessions))):
            cluster = open_cluster({}, None)
            await cluster.start()
            await cluster.admin.create(TopicSpec("t"))
            costs.append(await way(cluster, records, sessions) * 1e6)
            await cluster.close()
        print(f"{sessions:8} {costs[0]:15.1f} {costs[1]:17.1f} {costs[1] / costs[0]:7.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    uvloop.run(main(parser.parse_args()))
