"""Embeddings of many texts through a server that takes 50 ms per request, against the ideal schedule.

The agent `compute-ai-embeddings` works in a node that reads a topic in memory and writes another. The ideal schedule is
what the waiting alone takes: the batches, `concurrency` at a time, 50 ms each, and nothing else.

    python benchmarks/ai/embeddings_schedule.py [--texts 10000] [--batch 50] [--concurrency 8]
"""

from __future__ import annotations

import argparse
import asyncio
import math
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import orjson
from aiohttp import web

LATENCY_SECONDS = 0.05
DIMENSIONS = 384

PIPELINE = """
topics:
- {{name: in, creation-mode: create-if-not-exists}}
- {{name: out, creation-mode: create-if-not-exists}}
pipeline:
- type: compute-ai-embeddings
  input: in
  output: out
  configuration:
    model: m
    text: "{{{{{{ value.text }}}}}}"
    embeddings-field: value.vector
    batch-size: {batch}
    flush-interval: 1000
    concurrency: {concurrency}
"""
CONFIGURATION = """
configuration:
  resources:
  - {{type: open-ai-configuration, name: model, configuration: {{access-key: "", url: "{url}"}}}}
"""


def serve(port: Connection) -> None:
    """Serve vectors, each request as if it took the latency and no work."""
    vector = b"[" + b",".join(b"%.8f" % (index / DIMENSIONS) for index in range(DIMENSIONS)) + b"]"

    async def answer(request: web.Request) -> web.Response:
        arrived = asyncio.get_running_loop().time()
        count = len(orjson.loads(await request.read())["input"])
        items = (b'{"index":%d,"embedding":%s}' % (index, vector) for index in range(count))
        body = b'{"data":[' + b",".join(items) + b"]}"
        await asyncio.sleep(LATENCY_SECONDS - (asyncio.get_running_loop().time() - arrived))
        return web.Response(body=body, content_type="application/json")

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


async def measure(url: str, texts: int, batch: int, concurrency: int) -> float:
    """Seconds from the start of the node to the last vector in the output topic."""
    from langstream.deploy.local import LocalDeployment
    from langstream.planner.check import load_and_plan
    from langstream.records import SimpleRecord
    from langstream.topics.contract import TopicSpec
    from langstream.topics.memory import open_cluster

    with tempfile.TemporaryDirectory() as directory:
        files = Path(directory)
        (files / "pipeline.yaml").write_text(PIPELINE.format(batch=batch, concurrency=concurrency))
        (files / "configuration.yaml").write_text(CONFIGURATION.format(url=url))
        plan = load_and_plan(files, "benchmark")
        cluster = open_cluster({}, None)
        await cluster.start()
        for topic in ("in", "out"):
            await cluster.admin.create(TopicSpec(topic, 1))
        producer = cluster.producer()
        await producer.start()
        words = "some words that stand for a passage of a document"
        await producer.send("in", [SimpleRecord(f'{{"text":"{number} {words}"}}') for number in range(texts)])
        deployment = LocalDeployment(plan, cluster, data_directory=None)
        await deployment.setup()
        reader = cluster.reader("out", "earliest")
        await reader.start()
        started = time.perf_counter()
        await deployment.start()
        count = 0
        while count < texts:
            count += sum(len(run.records) for run in await reader.read(10_000, 1.0))
        seconds = time.perf_counter() - started
        await deployment.stop()
        await reader.close()
        await producer.close()
        await cluster.close()
    return seconds


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--concurrency", type=int, default=8)
    options = parser.parse_args()
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    server = processes.Process(target=serve, args=(there,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    requests = math.ceil(options.texts / options.batch)
    ideal = math.ceil(requests / options.concurrency) * LATENCY_SECONDS
    cpu = time.process_time()
    seconds = asyncio.run(measure(url, options.texts, options.batch, options.concurrency))
    cpu = time.process_time() - cpu
    print(f"texts            {options.texts}, {options.batch} per request, {options.concurrency} requests at a time")
    print(f"ideal schedule   {ideal:8.2f} s ({requests} requests of {LATENCY_SECONDS * 1000:g} ms)")
    print(f"agent in a node  {seconds:8.2f} s, {options.texts / seconds:.0f} texts/s, {cpu:.2f} s of CPU")
    print(f"ratio            {seconds / ideal:8.2f}")
    server.terminate()
    server.join()


if __name__ == "__main__":
    main()
