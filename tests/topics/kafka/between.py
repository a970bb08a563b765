"""Something between clients and a broker that lets answers get lost, as a broker does that is losing its place.

It reads as much of Kafka's protocol as it needs: the sizes of requests and answers, what a request asks for, and the
broker's address in answers, which becomes its own.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

JOIN_GROUP: Final = 11
_SIZE: Final = struct.Struct(">i")
_REQUEST: Final = struct.Struct(">hhi")
"""What is asked for, the version of it, and the number of the request on its connection."""


class Between:
    """Listens on `port`."""

    def __init__(self, broker: str, lose: Callable[[int], bool]) -> None:
        """`lose` is asked about every answer, by the key of what was asked for."""
        host, _, port = broker.rpartition(":")
        self._host, self._broker_port = host, int(port)
        self._lose = lose
        self.port = 0

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """One connection, until either side closes it."""
        broker, to_broker = await asyncio.open_connection(self._host, self._broker_port)
        asked: dict[int, int] = {}
        ways = [
            asyncio.create_task(way)
            for way in (self._requests(client, to_broker, asked), self._answers(broker, to_client, asked))
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for writer in (to_broker, to_client):
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()

    async def _requests(
        self, client: asyncio.StreamReader, broker: asyncio.StreamWriter, asked: dict[int, int]
    ) -> None:
        while True:
            request = await _frame(client)
            key, _, number = _REQUEST.unpack_from(request)
            asked[number] = key
            broker.write(_SIZE.pack(len(request)) + request)

    async def _answers(self, broker: asyncio.StreamReader, client: asyncio.StreamWriter, asked: dict[int, int]) -> None:
        host = self._host.encode()
        theirs, ours = host + _SIZE.pack(self._broker_port), host + _SIZE.pack(self.port)
        while True:
            answer = await _frame(broker)
            if not self._lose(asked.pop(_SIZE.unpack_from(answer)[0])):
                client.write(_SIZE.pack(len(answer)) + answer.replace(theirs, ours))


async def _frame(reader: asyncio.StreamReader) -> bytes:
    (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
    return await reader.readexactly(size)


@asynccontextmanager
async def between(broker: str, lose: Callable[[int], bool]) -> AsyncIterator[str]:
    """The address that stands for the broker's, whose connections end with it."""
    proxy = Between(broker, lose)
    connections: set[asyncio.Task[None]] = set()

    def connected(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(proxy.serve(client, to_client)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield f"127.0.0.1:{proxy.port}"
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
