"""What LangStream adds to every chunk of a streamed answer, between the model server and a WebSocket client.

    python benchmarks/chat/latency.py [--chunks 400] [--pause 0.005] [--rounds 3]

The model server puts the time of departure into each chunk. The bound is a client that reads the same stream from the
model server itself, in the same run. Through LangStream a chunk goes: HTTP client, agent, topic (one record per chunk),
gateway, WebSocket; once with the embedded broker, which has every chunk on disk before anybody sees it, once in memory.
"""

from __future__ import annotations

import argparse
import statistics
import time

import aiohttp
import orjson
import uvloop
from stack import Product, model_server, product


async def direct(model: str, rounds: int) -> list[float]:
    """Seconds from departure to arrival, per chunk, at a bare client of the model server."""
    times: list[float] = []
    async with aiohttp.ClientSession() as session:
        for _ in range(rounds):
            async with session.post(f"{model}/chat/completions", json={"messages": [], "stream": True}) as response:
                async for line in response.content:
                    if line.startswith(b"data: {"):
                        sent = orjson.loads(line[6:])["choices"][0]["delta"]["content"]
                        times.append(time.perf_counter() - float(sent))
    return times


async def through(running: Product, rounds: int) -> list[float]:
    """The same at a client of the chat gateway."""
    times: list[float] = []
    async with aiohttp.ClientSession() as session, session.ws_connect(running.chat_url("one")) as socket:
        for _ in range(rounds):
            await socket.send_json({"value": "What time is it?"})
            async for message in socket:
                frame = orjson.loads(message.data)
                if "record" not in frame:
                    continue
                times.append(time.perf_counter() - float(frame["record"]["value"]))
                if frame["record"]["headers"]["stream-last-message"] == "true":
                    break
    return times


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    with model_server(delay=0.05, chunks=options.chunks, pause=options.pause) as model:
        bound = uvloop.run(direct(model, options.rounds))
        _print("direct client of the model server", bound, bound)
        for name, ephemeral in (("LangStream, --ephemeral", True), ("LangStream, embedded broker", False)):
            with product(model, ephemeral=ephemeral, chunks_per_message=1) as running:
                uvloop.run(through(running, 1))
                _print(name, uvloop.run(through(running, options.rounds)), bound)


def _print(name: str, times: list[float], bound: list[float]) -> None:
    median, tail = _median_and_tail(times)
    line = f"{name:34} {len(times):5} chunks   p50 {median:6.2f} ms   p99 {tail:6.2f} ms"
    if times is not bound:
        bound_median, bound_tail = _median_and_tail(bound)
        added = f"p50 {median - bound_median:.2f} ms (×{median / bound_median:.1f}), p99 {tail - bound_tail:.2f} ms"
        line += f"   added: {added}"
    print(line, flush=True)


def _median_and_tail(times: list[float]) -> tuple[float, float]:
    return statistics.median(times) * 1000, statistics.quantiles(times, n=100)[98] * 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=400)
    parser.add_argument("--pause", type=float, default=0.005)
    parser.add_argument("--rounds", type=int, default=3)
    main(parser.parse_args())
