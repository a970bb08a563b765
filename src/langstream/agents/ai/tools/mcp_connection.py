"""A connection to one MCP server, started and kept alive: a program spoken to over its standard streams, or an address.

It lives in a task of its own, because the SDK's connections must be opened and closed by the same task. A server that
ends is started again, with pauses that grow; calls meanwhile wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langstream.agents.ai.tools.configuration import McpEntry
from langstream.errors import AgentFailed
from langstream.services.ai.failures import scrubbed

if TYPE_CHECKING:
    from mcp import Client

LOG = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 10.0
READ_SECONDS: Final = 3600.0
"""Longest silence of an open response; calls have limits of their own."""
LONGEST_LINE: Final = 2000


class McpConnection:
    """`prepare` is called with every new client before calls may use it."""

    def __init__(
        self, entry: McpEntry, agent_id: str, directory: Path | None, prepare: Callable[[Client], Awaitable[None]]
    ) -> None:
        self._entry = entry
        self._directory = directory
        self._agent_id = agent_id
        self._prepare = prepare
        self._secrets = (*entry.env.values(), *entry.headers.values())
        self._task: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._over = asyncio.Event()
        self._closing = asyncio.Event()
        self._client: Client | None = None
        self.starts = 0
        """How often it was connected."""

    async def start(self) -> None:
        """Connect. Raises AgentFailed with what went wrong."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep(started))
        try:
            async with asyncio.timeout(self._entry.start_timeout_seconds):
                await started
        except TimeoutError:
            seconds = self._entry.start_timeout_seconds
            raise AgentFailed(f"the MCP server '{self._entry.name}' was not ready within {seconds:g} s") from None

    async def close(self) -> None:
        """Disconnect, and end the program."""
        self._closing.set()
        self._over.set()
        if self._task is None:
            return
        if not self._up.is_set():
            self._task.cancel()
        done, _ = await asyncio.wait((self._task,), timeout=CLOSE_SECONDS)
        if not done:
            self._task.cancel()
            await asyncio.wait((self._task,), timeout=CLOSE_SECONDS)

    async def client(self) -> Client:
        """The client, as soon as there is one."""
        while self._client is None:
            await self._up.wait()
        return self._client

    def lost(self, client: Client) -> None:
        """A call found the connection broken: make a new one."""
        if client is self._client:
            self._fall()
            self._over.set()

    def shown(self, error: BaseException) -> str:
        """An error in words, without secrets."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return scrubbed(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, self._secrets)

    async def _keep(self, started: asyncio.Future[None]) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._closing.is_set():
            try:
                before = self.starts
                await self._live(started)
                if not self._closing.is_set():
                    LOG.warning("Agent %s: MCP server %r ended; it is started again", self._agent_id, self._entry.name)
            except Exception as error:
                told = f"the MCP server '{self._entry.name}' cannot be used: {self.shown(error)}"
                if not started.done():
                    started.set_exception(AgentFailed(told))
                    return
                if not self._closing.is_set():
                    LOG.warning("Agent %s: %s", self._agent_id, told)
            finally:
                self._fall()
            pause = FIRST_PAUSE_SECONDS if self.starts > before else min(pause * 2, LONGEST_PAUSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()

    async def _live(self, started: asyncio.Future[None]) -> None:
        """One connection, from its beginning to its end."""
        from mcp import Client

        self._over = asyncio.Event()
        over = self._over
        async with AsyncExitStack() as stack:
            transport = await self._transport(stack)
            client = await stack.enter_async_context(Client(_watched(transport, over)))
            await self._prepare(client)
            self._client = client
            self.starts += 1
            self._up.set()
            if not started.done():
                started.set_result(None)
            await over.wait()
            self._fall()

    async def _transport(self, stack: AsyncExitStack) -> Any:
        from mcp import StdioServerParameters
        from mcp.client.stdio import stdio_client
        from mcp.client.streamable_http import streamable_http_client

        entry = self._entry
        if entry.url is not None:
            import httpx2

            timeout = httpx2.Timeout(30.0, read=READ_SECONDS)
            client = httpx2.AsyncClient(headers=dict(entry.headers), timeout=timeout)
            await stack.enter_async_context(client)
            return streamable_http_client(entry.url, http_client=client)
        assert entry.command is not None
        parameters = StdioServerParameters(
            command=entry.command, args=entry.args, env=dict(entry.env), cwd=self._directory
        )
        return stdio_client(parameters, errlog=await stack.enter_async_context(self._standard_error()))

    @asynccontextmanager
    async def _standard_error(self) -> AsyncIterator[Any]:
        """A file for what the program writes to its standard error; it goes to the log, line by line."""
        read_end, write_end = os.pipe()
        reader = asyncio.StreamReader(limit=LONGEST_LINE * 4)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0)
        )
        logging_lines = asyncio.create_task(self._log_lines(reader))
        try:
            with os.fdopen(write_end, "w") as file:
                yield file
        finally:
            logging_lines.cancel()
            transport.close()
            await asyncio.gather(logging_lines, return_exceptions=True)

    async def _log_lines(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:  # longer than anybody wants to read
                continue
            if not line:
                return
            text = scrubbed(line.decode("utf-8", "replace").rstrip()[:LONGEST_LINE], self._secrets)
            LOG.info("MCP server %s: %s", self._entry.name, text)

    def _fall(self) -> None:
        self._client = None
        self._up.clear()


@asynccontextmanager
async def _watched(transport: Any, over: asyncio.Event) -> AsyncIterator[Any]:
    """The transport, telling when the other side has gone."""
    import anyio

    async with transport as (incoming, outgoing):
        sending, receiving = anyio.create_memory_object_stream[Any](0)

        async def forward() -> None:
            try:
                async with sending:
                    async for message in incoming:
                        await sending.send(message)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass  # the client has gone
            finally:
                over.set()

        async with anyio.create_task_group() as group, receiving:
            group.start_soon(forward)
            try:
                yield receiving, outgoing
            finally:
                group.cancel_scope.cancel()
