"""An AI service made of rules: it answers at once, notes what it was asked, and fails when told to."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from langstream.errors import LangStreamError
from langstream.records import Record
from langstream.sdk.contract import AgentContext, Resource
from langstream.sdk.sharing import Shared
from langstream.services.ai.contract import (
    AIProvider,
    AIService,
    Chunk,
    CompletionOptions,
    Embeddings,
    Message,
    Usage,
)
from langstream.services.ai.openai.configuration import OpenAIConfiguration
from langstream.services.ai.selection import AI_PROVIDERS


class StubService(AIService):
    """Chat answers `echo(last message)`, text `echo([prompts])`; the vector of a text is `[length, 1.0]`.

    `script` replaces the answers: one list per call, of chunks and of errors to raise between them.
    """

    def __init__(self) -> None:
        self.script: list[list[Chunk | Exception]] = []
        self.calls: list[Any] = []
        self.conversations: list[list[Message]] = []
        self.models: list[str] = []
        self.options: list[Any] = []
        self.refuse: Callable[[str], Exception | None] = lambda text: None
        self.started = self.closed = 0

    async def start(self) -> None:
        self.started += 1

    async def close(self) -> None:
        self.closed += 1

    async def chat(
        self, model: str, messages: Sequence[Message], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        self._note(model, [(message.role, message.content) for message in messages], options)
        self.conversations.append(list(messages))
        text = f"echo({messages[-1].content})"
        usage = Usage(3, 2)
        chunks = [Chunk(text[:3], "id1"), Chunk(text[3:], "id1", last=True, usage=usage)]
        async for chunk in self._scripted(chunks if stream else [Chunk(text, "id1", last=True, usage=usage)]):
            yield chunk

    async def complete(
        self, model: str, prompts: Sequence[str], options: CompletionOptions, *, stream: bool
    ) -> AsyncGenerator[Chunk, None]:
        self._note(model, list(prompts), options)
        tokens, logprobs = (("a", "b"), (-0.1, -2.0)) if options.logprobs else ((), ())
        chunk = Chunk(f"echo([{', '.join(prompts)}])", "id2", True, tokens, logprobs)
        async for piece in self._scripted([chunk]):
            yield piece

    async def embed(self, model: str, texts: Sequence[str], options: Mapping[str, Any]) -> Embeddings:
        self._note(model, list(texts), options)
        for text in texts:
            if (error := self.refuse(text)) is not None:
                raise error
        return Embeddings([[float(len(text)), 1.0] for text in texts], Usage(len(texts)))

    def _note(self, model: str, prompt: Any, options: Any) -> None:
        self.models.append(model)
        self.calls.append(prompt)
        self.options.append(options)

    async def _scripted(self, chunks: Sequence[Chunk | Exception]) -> AsyncGenerator[Chunk, None]:
        for item in self.script.pop(0) if self.script else chunks:
            if isinstance(item, Exception):
                raise item
            yield item


class Topics:
    """Keeps what is sent; `fail` makes the next writes fail."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Record]] = {}
        self.fail: list[LangStreamError] = []

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        if self.fail:
            raise self.fail.pop(0)
        self.sent.setdefault(topic, []).extend(records)


class _Bound:
    def __init__(self, tally: Tally[Any], name: Any) -> None:
        self.tally, self.name = tally, name

    def inc(self, amount: float = 1) -> None:
        self.tally[self.name] += amount  # type: ignore[assignment]


class Counters:
    """Metrics that can be looked at."""

    def __init__(self) -> None:
        self.values: Tally[str] = Tally()
        self.labels: Tally[tuple[str, ...]] = Tally()

    def counter(self, name: str, description: str = "") -> Any:
        return _Bound(self.values, name)

    def labelled(self, name: str, description: str, labels: Mapping[str, str]) -> Any:
        return _Bound(self.labels, (name, *labels.values()))

    def histogram(self, name: str, description: str = "") -> Callable[[float], None]:
        return lambda _: None


class Bench:
    """An agent's surroundings: stub services under the type of OpenAI, topics and counters.

    `service` is the one that agents use without being told; `second` and `third` are there for those that ask for them.
    With a `directory` agents keep state; replicas share `shared`.
    """

    def __init__(self) -> None:
        self.service, self.second, self.third = StubService(), StubService(), StubService()
        self.topics = Topics()
        self.metrics = Counters()
        self.directory: Path | None = None
        self.shared = Shared()
        self.surroundings: dict[str, Any] = {}
        self.prices: dict[str, Any] = {}
        self._agents: list[Any] = []

    def connect(self, configuration: OpenAIConfiguration) -> StubService:
        """The service of a resource."""
        service: StubService = getattr(self, configuration.access_key, self.service)
        return service

    async def start(self, agent_type: Any, configuration: Mapping[str, Any]) -> Any:
        """The started agent."""
        agent = agent_type.create(agent_type.configuration.model_validate(configuration))
        self._agents.append(agent)
        names = {"third": "third", "second": "second", "brain": "service"}  # the last one is preferred
        resources = {
            name: Resource(name, name, "open-ai-configuration", {"access-key": key, "prices": self.prices})
            for name, key in names.items()
        }
        context = AgentContext(
            "agent-1",
            "app",
            resources=resources,
            topics=self.topics,
            metrics=self.metrics,
            state_directory=self.directory,
            shared_directory=self.directory,
            shared=self.shared,
            **self.surroundings,
        )
        await agent.start(context)
        return agent

    async def close(self) -> None:
        """Close the agents; those started later are as after a restart of the process."""
        for agent in self._agents:
            await agent.close()
        self._agents.clear()
        self.shared = Shared()


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Surroundings for one test."""
    bench = Bench()
    provider = AIProvider(
        "open-ai-configuration",
        OpenAIConfiguration,
        bench.connect,
        "a stub",
        metrics_prefix="openai",
        embeddings_model="text-embedding-ada-002",
    )
    monkeypatch.setattr(AI_PROVIDERS, "load", lambda name: provider)
    yield bench
    await bench.close()
