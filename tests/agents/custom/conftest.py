"""An application directory to write Python agents into, and the agents started from it."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from langstream.agents.custom import code, processor, service, sink, source
from langstream.agents.declaration import AgentType
from langstream.configuration.validation import check
from langstream.records import Record
from langstream.sdk.contract import AgentContext, Resource


class Application:
    """Files below `python`, agents made of them, and the topics those write to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sent: list[tuple[str, list[Record]]] = []
        self.failures: list[BaseException] = []
        self.send_error: Exception | None = None
        self._agents: list[Any] = []

    def write(self, path: str, source: str) -> Path:
        """Write a file of the application."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))
        return file

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """What the runtime does for agents that send to topics."""
        if self.send_error is not None:
            raise self.send_error
        self.sent.append((topic, list(records)))

    def context(self, **changes: Any) -> AgentContext:
        """The context of an agent of this application."""
        settings: dict[str, Any] = {
            "agent_id": "a1",
            "application_id": "app",
            "topics": self,
            "code_directory": self.directory,
            "report_failure": self.failures.append,
            "resources": {"db": Resource("db", "Database", "datasource", {"url": "u", "password": "hush"})},
            "globals": {"region": "south"},
            **changes,
        }
        return AgentContext(**settings)

    async def start(self, kind: AgentType, name: str, options: Mapping[str, Any] | None = None, **context: Any) -> Any:
        """A started agent of the class of that name."""
        chosen: Any = kind.configuration
        model, problems = check(chosen, {"className": name, **(options or {})}, subject="agent")
        assert model is not None, problems
        agent = kind.create(model)
        self._agents.append(agent)
        await agent.start(self.context(**context))
        return agent

    async def processor(self, source: str, **options: Any) -> processor.CustomProcessor:
        """A started processor whose class is `Agent` of the given source."""
        self.write("python/mine.py", source)
        started: processor.CustomProcessor = await self.start(processor.AGENT, "mine.Agent", options)
        return started

    async def sink(self, source: str, **options: Any) -> sink.CustomSink:
        """A started sink whose class is `Agent` of the given source."""
        self.write("python/mine.py", source)
        started: sink.CustomSink = await self.start(sink.AGENT, "mine.Agent", options)
        return started

    async def source(self, text: str, **options: Any) -> source.CustomSource:
        """A started source whose class is `Agent` of the given source."""
        self.write("python/mine.py", text)
        started: source.CustomSource = await self.start(source.AGENT, "mine.Agent", options)
        return started

    async def service(self, source: str, **options: Any) -> service.CustomService:
        """A started service whose class is `Agent` of the given source."""
        self.write("python/mine.py", source)
        started: service.CustomService = await self.start(service.AGENT, "mine.Agent", options)
        return started

    async def close(self) -> None:
        """Close every agent and forget the code."""
        for agent in self._agents:
            await agent.close()
        self._agents.clear()
        code.remove(self.directory)


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    """An empty application."""
    application = Application(tmp_path)
    yield application
    await application.close()
