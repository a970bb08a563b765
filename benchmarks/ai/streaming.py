"""What the AI client adds to every chunk of a streamed answer.

A server in another process sends chunks, each with the time at which it left. The same stream is read by the service
client (`OpenAIService.chat`) and by the bare HTTP client reading lines, alternately; the added latency is the
difference of the medians.

    python benchmarks/ai/streaming.py [--chunks 500] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection

import aiohttp
import orjson
from aiohttp import web

from langstream.services.ai.contract import CompletionOptions, Message
from langstream.services.ai.openai.configuration import OpenAIConfiguration
from langstream.services.ai.openai.service import OpenAIService

PAUSE_SECONDS = 0.002


def serve(port: Connection, chunks: int) -> None:
    """Serve streams whose chunks carry the time of their departure."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "text/event-stream"
        await response.prepare(request)
        for _ in range(chunks):
            content = repr(time.perf_counter())
            event = {"id": "a", "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}]}
            await response.write(b"data: " + orjson.dumps(event) + b"\n\n")
            await asyncio.sleep(PAUSE_SECONDS)
        await response.write(b"data: [DONE]\n\n")
        return response

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


async def through_the_service(service: OpenAIService) -> AsyncIterator[str]:
    """The chunks as agents get them."""
    async for chunk in service.chat("m", [Message("x", "user")], CompletionOptions(), stream=True):
        if chunk.text:
            yield chunk.text


async def bare(session: aiohttp.ClientSession, url: str) -> AsyncIterator[str]:
    """The least that can be done: lines and JSON."""
    async with session.post(f"{url}/chat/completions", json={"messages": [], "stream": True}) as response:
        async for line in response.content:
            if line.startswith(b"data: {"):
                yield orjson.loads(line[6:])["choices"][0]["delta"]["content"]


async def latencies(texts: AsyncIterator[str]) -> list[float]:
    """Seconds from departure to arrival, per chunk."""
    return [time.perf_counter() - float(text) async for text in texts]


async def measure(url: str, rounds: int) -> None:
    """Print both medians and their ratio."""
    service = OpenAIService(OpenAIConfiguration.model_validate({"access-key": "k", "url": url}))
    await service.start()
    client: list[float] = []
    plain: list[float] = []
    async with aiohttp.ClientSession() as session:
        for _ in range(rounds):
            client += await latencies(through_the_service(service))
            plain += await latencies(bare(session, url))
    await service.close()
    ours, theirs = statistics.median(client) * 1e6, statistics.median(plain) * 1e6
    tail = statistics.quantiles(client, n=100)[98] * 1e6
    print(f"chunks                 {len(client)} each way")
    print(f"bare HTTP client       {theirs:8.0f} µs median from server to reader")
    print(f"service client         {ours:8.0f} µs median, {tail:.0f} µs at the 99th percentile")
    print(f"added per chunk        {ours - theirs:8.0f} µs, ratio {ours / theirs:.2f}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--chunks", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there, options.chunks), daemon=True)
    server.start()
    asyncio.run(measure(f"http://127.0.0.1:{here.recv()}/v1", options.rounds))
    server.terminate()
    server.join()


if __name__ == "__main__":
    main()
