"""A thousand streamed completions at one time in one process: memory, and what is added to every chunk.

A server in another process streams chunks to all clients, each chunk with the time at which it left. The same load is
read three ways, one after the other, each in a process of its own: by the bare HTTP client reading lines; by the agent
`ai-chat-completions` without its journal; and by the agent as it is, journal included. The added latency is the
difference to the bare client at the same percentile.

    python benchmarks/ai/concurrent_streams.py [--streams 1000] [--chunks 30] [--pause 1.0]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web


def serve(port: Connection, chunks: int, pause: float) -> None:
    """Serve streams whose chunks carry the time of their departure; the streams are spread over the pause."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "text/event-stream"
        await response.prepare(request)
        await asyncio.sleep(random.uniform(0, pause))
        for _ in range(chunks):
            choice = {"index": 0, "delta": {"content": repr(time.perf_counter()) + " "}, "finish_reason": None}
            await response.write(b"data: " + orjson.dumps({"id": "a", "choices": [choice]}) + b"\n\n")
            await asyncio.sleep(pause)
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        await response.write(b"data: " + orjson.dumps({"id": "a", "choices": [end]}) + b"\n\ndata: [DONE]\n\n")
        return response

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


async def bare(url: str, streams: int) -> list[float]:
    """The least that can be done: lines and JSON."""
    seconds: list[float] = []

    async def one(session: aiohttp.ClientSession) -> None:
        async with session.post(f"{url}/chat/completions", json={"messages": [], "stream": True}) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    content = orjson.loads(line[6:])["choices"][0]["delta"].get("content")
                    if content:
                        seconds.append(time.perf_counter() - float(content))

    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        await asyncio.gather(*(one(session) for _ in range(streams)))
    return seconds


class Reader:
    """Stands for the broker: takes the chunk records, and tells how long each chunk was under way."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def send(self, topic: str, records: Sequence[Any]) -> None:
        now = time.perf_counter()
        self.seconds += [now - float(text) for record in records for text in record.value().split()]


async def through_the_agent(url: str, streams: int, directory: Path | None) -> list[float]:
    """As a node calls it, one record per stream; every chunk is written to `stream-to-topic` at once."""
    from langstream.agents.ai.chat_completions import AGENT, ChatCompletionsConfiguration
    from langstream.records import SimpleRecord
    from langstream.sdk.contract import AgentContext, Place, Resource

    configuration = ChatCompletionsConfiguration.model_validate(
        {
            "model": "m",
            "completion-field": "value",
            "stream-to-topic": "chunks",
            "min-chunks-per-message": 1,
            "messages": [{"role": "user", "content": "{{ value }}"}],
            "journal": {"enabled": directory is not None},
        }
    )
    agent: Any = AGENT.create(configuration)
    reader = Reader()
    service = Resource("s", "s", "open-ai-configuration", {"access-key": "k", "url": url})
    context = AgentContext("agent", "app", resources={"s": service}, topics=reader, shared_directory=directory)
    await agent.start(context)

    async def one(number: int) -> None:
        (outcome,) = await agent.process_placed([SimpleRecord(f"question {number}")], [Place("in", 0, number)])
        if isinstance(outcome, Exception):
            raise outcome

    await asyncio.gather(*(one(number) for number in range(streams)))
    await agent.close()
    return reader.seconds


def read(result: Connection, way: str, url: str, streams: int) -> None:
    """One way of reading, in a process of its own: its latencies, and the memory that the streams took."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    async def run(count: int) -> list[float]:
        if way == "bare":
            return await bare(url, count)
        with tempfile.TemporaryDirectory() as directory:
            return await through_the_agent(url, count, Path(directory) if way == "journal" else None)

    runner: Callable[..., Any] = asyncio.run
    try:
        import uvloop

        runner = uvloop.run
    except ImportError:
        pass
    runner(run(1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu = time.process_time()
    seconds = runner(run(streams))
    cpu = time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    result.send((seconds, memory, cpu))


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--chunks", type=int, default=30)
    parser.add_argument("--pause", type=float, default=1.0)
    options = parser.parse_args()
    processes = multiprocessing.get_context("spawn")
    here, there = processes.Pipe()
    server = processes.Process(target=serve, args=(there, options.chunks, options.pause), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}/v1"
    print(f"{options.streams} streams at a time, {options.chunks} chunks each, one every {options.pause:g} s")
    print(f"{'':24}{'p50':>9}{'p99':>9}{'added p50':>12}{'added p99':>12}{'memory':>10}{'CPU/chunk':>12}")
    floor: tuple[float, float] | None = None
    for way, title in (("bare", "bare HTTP client"), ("agent", "agent without journal"), ("journal", "agent, journal")):
        reader = processes.Process(target=read, args=(there, way, url, options.streams))
        reader.start()
        seconds, memory, cpu = here.recv()
        reader.join()
        p50, p99 = statistics.median(seconds) * 1e3, statistics.quantiles(seconds, n=100)[98] * 1e3
        floor = floor or (p50, p99)
        added = f"{p50 - floor[0]:9.2f} ms{p99 - floor[1]:9.2f} ms"
        print(
            f"{title:24}{p50:6.2f} ms{p99:6.1f} ms{added}{memory / 1024:7.0f} MB{cpu / len(seconds) * 1e6:9.0f} µs"
            f"   ({len(seconds)} chunks)"
        )
    server.terminate()
    server.join()


if __name__ == "__main__":
    main()
