"""A model server that costs as little as possible: streamed chat completions in the protocol of OpenAI.

    python benchmarks/chat/model_server.py --delay 1 --chunks 20 --pause 0.05

Prints its port. Every answer begins after `delay` seconds; its chunks come `pause` seconds apart (0: all at once). The
text of a chunk is the time at which it was sent (`time.perf_counter()`, one clock for all processes of a machine).
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import cast

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'


def event(*, last: bool) -> bytes:
    """One chunk of the answer, as a chunk of HTTP."""
    body = EVENT % (b"%.7f " % time.perf_counter(), b'"stop"' if last else b"null")
    if last:
        body += b"data: [DONE]\n\n"
    return b"%x\r\n%s\r\n" % (len(body), body) + (b"0\r\n\r\n" if last else b"")


class Answering(asyncio.Protocol):
    """One connection; one request after the other."""

    def __init__(self, delay: float, chunks: int, pause: float) -> None:
        self._delay, self._chunks, self._pause = delay, chunks, pause
        self._received = b""
        self._loop = asyncio.get_running_loop()
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) >= length:
            self._received = body[length:]
            self._due = self._loop.time() + self._delay
            self._loop.call_at(self._due, self._begin)

    def _begin(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(HEAD)
            self._send(0)

    def _send(self, number: int) -> None:
        if self._transport.is_closing():
            return
        if self._pause <= 0:
            self._transport.write(b"".join(event(last=n == self._chunks - 1) for n in range(self._chunks)))
            return
        self._transport.write(event(last=number == self._chunks - 1))
        if number < self._chunks - 1:
            self._due += self._pause
            self._loop.call_at(self._due, self._send, number + 1)


async def main(options: argparse.Namespace) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Answering(options.delay, options.chunks, options.pause), "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=1.0)
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.0)
    uvloop.run(main(parser.parse_args()))
