"""A thousand conversations at once in one process, over a model server that takes one second.

    python benchmarks/chat/sessions.py [--sessions 1000] [--delay 1] [--chunks 20] [--pause 0]

All sessions are connected; then every one asks its question. Told is how long it takes until the last answer is
complete, against the ideal (delay + stream of one answer) and against a bare client that opens as many streams at the
model server itself in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp
import orjson
import uvloop
from stack import Product, model_server, product


@dataclass(frozen=True, slots=True)
class Answer:
    """Seconds from the question to the first chunk and to the last, and frames or events received."""

    first: float
    whole: float
    pieces: int


async def direct(model: str, sessions: int) -> tuple[float, list[Answer]]:
    """Streams of the model server itself."""

    async def ask(session: aiohttp.ClientSession) -> Answer:
        started, first, pieces = time.perf_counter(), 0.0, 0
        async with session.post(f"{model}/chat/completions", json={"messages": [], "stream": True}) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    orjson.loads(line[6:])
                    pieces += 1
                    first = first or time.perf_counter() - started
        return Answer(first, time.perf_counter() - started, pieces)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        return await timed([lambda: ask(session)] * sessions)


async def through(running: Product, sessions: int) -> tuple[float, list[Answer], float]:
    """Sessions of the chat gateway, and processor seconds of the product. Raises RuntimeError where a session gets what
    is another's, or a gap."""

    async def ask(socket: aiohttp.ClientWebSocketResponse, name: str) -> Answer:
        started, first, pieces = time.perf_counter(), 0.0, 0
        await socket.send_json({"value": f"question of {name}"})
        async for message in socket:
            frame = orjson.loads(message.data)
            if "record" not in frame:
                continue
            pieces += 1
            first = first or time.perf_counter() - started
            headers = frame["record"]["headers"]
            if headers["langstream-client-session-id"] != name or headers["stream-index"] != str(pieces):
                raise RuntimeError(f"session {name} got a frame that is not its next: {headers}")
            if headers["stream-last-message"] == "true":
                return Answer(first, time.perf_counter() - started, pieces)
        raise RuntimeError(f"the socket of session {name} was closed with {socket.close_code}")

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        opened = time.perf_counter()
        names = [f"s{number}" for number in range(sessions)]
        sockets = [await session.ws_connect(running.chat_url(name)) for name in names]
        print(f"  {sessions} sockets opened in {time.perf_counter() - opened:.2f} s, one after the other")
        asks = [
            (lambda socket=socket, name=name: ask(socket, name)) for socket, name in zip(sockets, names, strict=True)
        ]
        before = running.cpu_seconds()
        seconds, answers = await timed(asks)
        cpu = running.cpu_seconds() - before
        await asyncio.gather(*(socket.close() for socket in sockets))
        return seconds, answers, cpu


async def timed(asks: Sequence[Callable[[], Awaitable[Answer]]]) -> tuple[float, list[Answer]]:
    """All at once; the seconds it took."""
    started = time.perf_counter()
    answers = await asyncio.gather(*(ask() for ask in asks))
    return time.perf_counter() - started, answers


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a client needs a descriptor per session, too
    ideal = options.delay + max(0, options.chunks - 1) * options.pause
    print(f"{options.sessions} sessions; an answer of {options.chunks} chunks takes {ideal:.2f} s by itself")
    with model_server(delay=options.delay, chunks=options.chunks, pause=options.pause) as model:
        seconds, answers = uvloop.run(direct(model, options.sessions))
        report("bare client of the model server", seconds, answers, ideal)
        for name, ephemeral in (("LangStream, --ephemeral", True), ("LangStream, embedded broker", False)):
            with product(model, ephemeral=ephemeral, chunks_per_message=options.chunks_per_message) as running:
                idle = running.peak_megabytes()
                seconds, answers, cpu = uvloop.run(through(running, options.sessions))
                report(name, seconds, answers, ideal)
                memory = f"peak memory {running.peak_megabytes():.0f} MB ({idle:.0f} MB before)"
                print(f"  the process: {memory}, {cpu / options.sessions * 1000:.1f} ms of processor per answer")


def report(name: str, seconds: float, answers: list[Answer], ideal: float) -> None:
    """Print one result."""
    first = sorted(answer.first for answer in answers)
    whole = sorted(answer.whole for answer in answers)
    tail = int(len(answers) * 0.99)
    print(
        f"{name:32} all answered in {seconds:5.2f} s (×{seconds / ideal:.2f} of the ideal)   "
        f"first chunk p50 {statistics.median(first):.2f} s p99 {first[tail]:.2f} s   "
        f"whole p50 {statistics.median(whole):.2f} s p99 {whole[tail]:.2f} s   "
        f"{sum(answer.pieces for answer in answers) / len(answers):.0f} frames each",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--delay", type=float, default=1.0)
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--chunks-per-message", type=int, default=20, help="`min-chunks-per-message` of the agent")
    main(parser.parse_args())
