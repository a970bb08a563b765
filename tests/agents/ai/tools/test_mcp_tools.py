"""Tools of a real MCP server, a process over its standard streams and over HTTP: learnt, called, restarted, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

pytest.importorskip("mcp")

from langstream.agents.ai.tools.configuration import McpEntry
from langstream.agents.ai.tools.mcp_tools import McpTools
from langstream.agents.ai.tools.toolbox import ToolFailed
from langstream.errors import AgentFailed
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext
from langstream.services.ai.contract import ToolCall
from tests.servers.ports import free_port
from tests.services.ai.fake_server import FakeServer, Reply

SERVER = str(Path(__file__).with_name("weather_server.py"))
KEY = "very-secret-weather-key"
CONTEXT = AgentContext("agent-1", "app")
PATIENCE = 60.0

Open: TypeAlias = Callable[..., Awaitable[McpTools]]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Opens boxes of tools, by default those of a program."""
    boxes: list[McpTools] = []

    async def opened(**options: Any) -> McpTools:
        if "url" not in options:
            options = {"command": sys.executable, "args": [SERVER], "env": {"WEATHER_KEY": KEY}, **options}
        box = McpTools(McpEntry.model_validate({"type": "mcp", "name": "weather", **options}))
        boxes.append(box)
        await box.start(CONTEXT)
        return box

    yield opened
    for box in boxes:
        await box.close()


async def call(box: McpTools, name: str, limit: float = PATIENCE, /, **arguments: Any) -> str:
    async with asyncio.timeout(limit):
        return await box.call(ToolCall("1", name, "{}"), arguments, SimpleRecord("x"), limit)


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.02)


async def test_a_program_offers_its_tools_answers_fails_in_words_and_keeps_secrets(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    box = await opened()
    tools = {tool.name: tool for tool in box.tools()}
    assert tools["forecast"].description == "Forecast the weather."
    assert tools["forecast"].parameters["required"] == ["city"]
    assert await call(box, "forecast", city="Rome", days=2) == "sunny in Rome for 2"
    assert await call(box, "odd_name") == '{\n  "one": 1\n}'
    answers = await asyncio.gather(*(call(box, "forecast", city=str(number)) for number in range(20)))
    assert answers == [f"sunny in {number} for 1" for number in range(20)]

    # a second program would cost seconds: the same one fails, keeps secrets, and ends with the agent
    with pytest.raises(ToolFailed, match="no rain today"):
        await call(box, "fail", reason="no rain today")
    with pytest.raises(ToolFailed, match="city"):
        await call(box, "forecast")
    with pytest.raises((ToolFailed, TimeoutError)):
        await call(box, "sleep", 0.2, seconds=600)
    pid = int(await call(box, "pid"))
    assert KEY not in command_line(pid)
    assert await call(box, "secret") == KEY

    async def told() -> bool:
        return "the secret is" in caplog.text

    await until(told)
    assert KEY not in caplog.text
    assert KEY not in repr(vars(box))
    await box.close()

    async def gone() -> bool:
        return not alive(pid)

    await until(gone)


async def test_a_program_that_dies_is_started_again(opened: Open) -> None:
    box = await opened()
    first = int(await call(box, "pid"))
    with pytest.raises(ToolFailed, match="broke during the call"):
        await call(box, "die")
    second = int(await call(box, "pid"))
    os.kill(second, signal.SIGKILL)

    async def replaced() -> bool:
        with contextlib.suppress(ToolFailed):
            return int(await call(box, "pid")) not in (first, second)
        return False

    await until(replaced)


async def test_a_program_that_is_not_there_is_refused(opened: Open) -> None:
    with pytest.raises(AgentFailed, match="the MCP server 'weather' cannot be used"):
        await opened(command="/no/such/program", args=[])


async def test_a_program_that_speaks_otherwise_is_refused(opened: Open) -> None:
    with pytest.raises(AgentFailed, match="the MCP server 'weather'"):
        await opened(args=["-c", "print('hello')"])


async def test_a_program_that_says_nothing_is_given_up(opened: Open) -> None:
    with pytest.raises(AgentFailed, match=r"was not ready within 0\.5 s"):
        await opened(**{"args": ["-c", "import time; time.sleep(600)"], "start-timeout-seconds": 0.5})


class HttpServer:
    """The same server behind an address."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, SERVER, str(self.port)], stderr=subprocess.DEVNULL
        )

        async def listens() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return False
            writer.close()
            await writer.wait_closed()
            return True

        await until(listens)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
async def http_server() -> AsyncIterator[HttpServer]:
    server = HttpServer()
    await server.start()
    yield server
    server.stop()


async def test_a_server_behind_an_address_answers_and_is_found_again(opened: Open, http_server: HttpServer) -> None:
    box = await opened(url=http_server.url, headers={"Authorization": "Bearer t"})
    assert await call(box, "forecast", city="Rome") == "sunny in Rome for 1"
    with pytest.raises(ToolFailed, match="no rain"):
        await call(box, "fail", reason="no rain")
    http_server.stop()
    with pytest.raises((ToolFailed, TimeoutError)):
        await call(box, "forecast", 10, city="Rome")
    await http_server.start()

    async def answers() -> bool:
        with contextlib.suppress(ToolFailed, TimeoutError):
            return await call(box, "forecast", 10, city="Rome") == "sunny in Rome for 1"
        return False

    await until(answers)


async def test_an_address_where_nobody_answers_is_refused(opened: Open) -> None:
    with pytest.raises(AgentFailed, match="the MCP server 'weather' cannot be used"):
        await opened(url=f"http://127.0.0.1:{free_port()}/mcp")


class Forgetful(FakeServer):
    """A server of the protocol before 2026, with sessions, which it forgets when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.session = "one"
        self.calls = 0

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        body = request["body"] or {}
        method = body.get("method")
        if method == "server/discover":
            return self._answer(body, error={"code": -32601, "message": "Method not found"})
        if method == "initialize":
            version = body["params"]["protocolVersion"]
            info = {
                "protocolVersion": version,
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "f", "version": "1"},
            }
            return self._answer(body, result=info)
        if request["method"] != "POST":
            return Reply(status=405, body={})
        if request["headers"].get("mcp-session-id") != self.session:
            return Reply(status=404, body={})
        if "id" not in body:
            return Reply(status=202, body=b"")
        if method == "tools/list":
            tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("count", "odd.name")]
            return self._answer(body, result={"tools": tools})
        self.calls += 1
        return self._answer(body, result={"content": [{"type": "text", "text": str(self.calls)}]})

    def _answer(self, body: Any, **content: Any) -> Reply:
        answer = {"jsonrpc": "2.0", "id": body["id"], **content}
        return Reply(body=answer, headers={"Mcp-Session-Id": self.session}, content_type="application/json")


@pytest.fixture
async def forgetful() -> AsyncIterator[Forgetful]:
    """Such a server, running."""
    server = Forgetful()
    await server.start()
    yield server
    await server.close()


async def test_a_server_that_forgot_the_session_is_called_again_in_a_new_one(
    opened: Open, forgetful: Forgetful
) -> None:
    box = await opened(url=f"{forgetful.url}/mcp", headers={"Authorization": "Bearer t"})
    assert await call(box, "count") == "1"
    forgetful.session = "two"
    assert await call(box, "count") == "2"
    assert {request["headers"].get("authorization") for request in forgetful.requests} == {"Bearer t"}
    await box.close()


async def test_some_tools_may_be_chosen_and_their_names_begun(opened: Open, forgetful: Forgetful) -> None:
    box = await opened(url=forgetful.url, tools=["odd.name"], prefix="my_")
    (tool,) = box.tools()
    assert (tool.name, tool.description) == ("my_odd_name", "odd.name")
    assert await call(box, "my_odd_name") == "1"
    assert forgetful.requests[-1]["body"]["params"]["name"] == "odd.name"
    await box.close()


async def test_a_tool_that_is_not_there_is_refused_with_a_guess(opened: Open, forgetful: Forgetful) -> None:
    with pytest.raises(AgentFailed, match=r"has no tool 'coumt'.*'count'"):
        await opened(url=forgetful.url, tools=["coumt"])
