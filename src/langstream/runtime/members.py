"""The agents of one replica: made from their configurations, started in order, closed exactly once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langstream.configuration.model import marked_options
from langstream.errors import AgentFailed
from langstream.planner.plan import Node, PlannedAgent
from langstream.records import Record
from langstream.runtime.announcements import Announcements
from langstream.runtime.directories import StateDirectories
from langstream.runtime.metrics import AgentCounts, AgentMetrics, Meters
from langstream.runtime.policy import Redactor
from langstream.runtime.worker import Worker, fold, harmless
from langstream.sdk.contract import (
    AgentContext,
    AnyAgent,
    AsyncProcessor,
    Processor,
    Resource,
    Service,
    Sink,
    Source,
    TopicWriter,
)
from langstream.sdk.sharing import Shared
from langstream.sdk.tracing import NoTracer, Tracer
from langstream.topics.contract import TopicCluster, TopicProducer, TopicReader

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all nodes of an application share."""

    application_id: str
    cluster: TopicCluster
    meters: Meters
    directories: StateDirectories
    tenant: str = "default"
    resources: Mapping[str, Resource] = field(default_factory=dict, repr=False)
    globals: Mapping[str, Any] = field(default_factory=dict, repr=False)
    code_directory: Path | None = None
    topic_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """Options of the plan's topics by name; all of these topics exist."""
    redact: Redactor = field(default_factory=Redactor, repr=False)
    shared: Shared = field(default_factory=Shared, repr=False)
    announcements: Announcements | None = field(default=None, repr=False)
    """What gateways cancel, where one of them does."""
    tracer: Tracer = field(default_factory=NoTracer, repr=False)


class DirectWriter:
    """Sends at once, outside of the node's transactions. The producer is opened when it is first needed."""

    def __init__(self, cluster: TopicCluster) -> None:
        self._cluster = cluster
        self._producer: TopicProducer | None = None

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """Returns when the broker has the records."""
        if self._producer is None:
            producer = self._cluster.producer()
            self._producer = producer
            await producer.start()
        await self._producer.send(topic, records)

    async def close(self) -> None:
        """Let go."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.close()


class Listener:
    """Follows a topic from now on, outside of the node's input."""

    def __init__(self, reader: TopicReader) -> None:
        self._reader = reader

    async def read(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """What there is, as soon as there is something; empty after the timeout."""
        runs = await self._reader.read(max_records, timeout_seconds)
        return [record for run in runs for record in run.records]

    async def close(self) -> None:
        """Let go."""
        await self._reader.close()


class Members:
    """The agents of a node, in order."""

    def __init__(self, node: Node, surroundings: Surroundings, replica: int) -> None:
        self._node = node
        self._surroundings = surroundings
        self._replica = replica
        self._opened: list[tuple[PlannedAgent, AnyAgent]] = []
        self._writer = DirectWriter(surroundings.cluster)
        self.counts: dict[str, AgentCounts] = {}
        self.source: Source | None = None
        self.service: Service | None = None
        self.workers: list[Worker] = []

    async def start(self, report_failure: Callable[[BaseException], None]) -> None:
        """Make and start every agent, then fold those that can work as one."""
        workers = []
        for planned in self._node.agents:
            agent = await self._open(planned, report_failure)
            if isinstance(agent, Source):
                self.source = agent
            elif isinstance(agent, Service):
                self.service = agent
            elif isinstance(agent, Processor | AsyncProcessor | Sink):
                counts = self.counts[planned.id] = AgentCounts(self._surroundings.meters, planned.id)
                workers.append(Worker(planned.id, agent, counts, streams=self._streams(planned)))
            else:
                raise AgentFailed(
                    f"agent {planned.id}: type {planned.type.name} made a {type(agent).__name__}, which is no agent: "
                    "expected a Source, Processor, AsyncProcessor, Sink or Service"
                )
        self.workers = fold(workers)

    def _streams(self, planned: PlannedAgent) -> bool:
        """Whether its options name a topic of answers that may be cancelled."""
        answers = self._node.answers
        return bool(answers) and any(text in answers for _, _, text in marked_options(planned.configuration))

    async def _open(self, planned: PlannedAgent, report_failure: Callable[[BaseException], None]) -> AnyAgent:
        try:
            agent = planned.type.create(planned.configuration)
            self._opened.append((planned, agent))
            await agent.start(self._context(planned, report_failure))
        except Exception as error:
            text = self._surroundings.redact(f"{type(error).__name__}: {error}")
            raise AgentFailed(f"agent {planned.id} does not start: {text}") from error
        except (SystemExit, KeyboardInterrupt) as error:
            raise AgentFailed(f"agent {planned.id} does not start: it raised {type(error).__name__}") from error
        return agent

    def _context(self, planned: PlannedAgent, report_failure: Callable[[BaseException], None]) -> AgentContext:
        around = self._surroundings
        directory = shared = None
        if planned.id in self._node.disks:
            directory = around.directories.create(planned.id, self._replica)
            shared = around.directories.create(planned.id)
        writer: TopicWriter = self._writer
        return AgentContext(
            agent_id=planned.id,
            application_id=around.application_id,
            tenant=around.tenant,
            resources=around.resources,
            globals=around.globals,
            topics=writer,
            listen=self._listen,
            metrics=AgentMetrics(around.meters, planned.id),
            state_directory=directory,
            shared_directory=shared,
            code_directory=around.code_directory,
            data_directory=around.directories.root(),
            replica=self._replica,
            replicas=self._node.resources.parallelism,
            shared=around.shared,
            tracer=around.tracer,
            report_failure=report_failure,
        )

    async def _listen(self, topic: str) -> Listener:
        reader = self._surroundings.cluster.reader(topic, "latest")
        await reader.start()
        return Listener(reader)

    def describe(self) -> list[tuple[PlannedAgent, dict[str, Any]]]:
        """What the agents say about themselves."""
        facts = []
        for planned, agent in self._opened:
            try:
                info = agent.info()
            except Exception as error:
                info = {"error": self._surroundings.redact(str(error))}
            facts.append((planned, info))
        return facts

    async def close(self) -> None:
        """Close what was opened, the last first. One that fails does not keep the others open."""
        opened, self._opened = self._opened, []
        for planned, agent in reversed(opened):
            try:
                await agent.close()
            except Exception as error:
                text = self._surroundings.redact(str(harmless(error)))
                _log.warning("agent %s: closing failed: %s: %s", planned.id, type(error).__name__, text)
            except (SystemExit, KeyboardInterrupt) as error:
                _log.warning("agent %s: closing raised %s", planned.id, type(error).__name__)
        await self._writer.close()
