"""A node under test: agents that follow a script, a cluster in memory, and what came out of it.

`ListSource` takes a list with the markers `EOF`, `ABORT` and `PAUSE`, so that a recovery test is ten lines.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from langstream.agents.declaration import AgentType, ComponentType
from langstream.application.model import DiskSpec, ErrorsSpec, OnFailure, ResourcesSpec
from langstream.configuration.model import Configuration
from langstream.planner.plan import Node, PlannedAgent
from langstream.records import Record, SimpleRecord
from langstream.runtime.directories import StateDirectories
from langstream.runtime.members import Surroundings
from langstream.runtime.metrics import Meters
from langstream.runtime.replica import Limits, Replica
from langstream.sdk.contract import (
    AgentContext,
    AnyAgent,
    AsyncProcessor,
    Batching,
    Outcome,
    Processor,
    Service,
    Sink,
    Source,
)
from langstream.topics.contract import TopicSpec
from langstream.topics.local.cluster import LocalCluster
from langstream.topics.memory import open_cluster

EOF: Final = "EOF"
ABORT: Final = "ABORT"
PAUSE: Final = "PAUSE"

Answer = Callable[[SimpleRecord], Any]
"""What an agent makes of one record: a list of results, or an exception (raised or returned)."""


class Aborted(Exception):
    """The script said so."""


class _Closing:
    closed = 0
    started = 0
    context: AgentContext | None = None

    async def start(self, context: AgentContext) -> None:
        self.started += 1
        self.context = context

    async def close(self) -> None:
        self.closed += 1


def answer(function: Answer, record: SimpleRecord) -> Outcome:
    try:
        result: Outcome = function(record)
    except Exception as error:
        return error
    return result


class Straight(_Closing, Processor):
    """A synchronous processor."""

    def __init__(self, function: Answer) -> None:
        self.function = function
        self.seen: list[SimpleRecord] = []

    def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        self.seen += records
        return [answer(self.function, record) for record in records]


class Raw(_Closing, Processor):
    """A synchronous processor that answers a batch as it pleases."""

    def __init__(self, function: Callable[[Sequence[SimpleRecord]], Any]) -> None:
        self.function = function

    def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        outcomes: Sequence[Outcome] = self.function(records)
        return outcomes


class Waiting(_Closing, AsyncProcessor):
    """An asynchronous processor; the function may be `async`."""

    def __init__(self, function: Answer, batching: Batching | None = None) -> None:
        self.function = function
        self.batching = batching or Batching()
        self.batches: list[list[SimpleRecord]] = []

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        self.batches.append(list(records))
        return await asyncio.gather(*map(self._one, records))

    async def _one(self, record: SimpleRecord) -> Outcome:
        try:
            result = self.function(record)
            outcome: Outcome = await result if inspect.isawaitable(result) else result
        except Exception as error:
            return error
        return outcome


class ListSource(_Closing, Source):
    """Gives a list of values (or records) one by one; markers end, abort or interrupt it."""

    def __init__(self, script: Sequence[Any], forgive: bool = False) -> None:
        self.script = list(script)
        self.position = 0
        self.given: list[Record] = []
        self.committed: list[Record] = []
        self.refused: list[tuple[Record, Exception]] = []
        self.forgive = forgive
        self.go_on = asyncio.Event()

    async def read(self, max_records: int) -> Sequence[Record]:
        if self.position >= len(self.script):
            await asyncio.Event().wait()
        entry = self.script[self.position]
        self.position += 1
        if entry is EOF:
            await asyncio.Event().wait()
        if entry is ABORT:
            raise Aborted("the source aborts")
        if entry is PAUSE:
            await self.go_on.wait()
            return []
        entries = entry if isinstance(entry, list) else [entry]
        records = [each if isinstance(each, Record) else SimpleRecord(each) for each in entries]
        self.given += records
        return records

    async def commit(self, records: Sequence[Record]) -> None:
        self.committed += records

    async def permanent_failure(self, record: Record, error: Exception) -> None:
        self.refused.append((record, error))
        if not self.forgive:
            raise error


class ListSink(_Closing, Sink):
    """Keeps what it is given; the function may refuse a record by raising."""

    def __init__(self, function: Callable[[SimpleRecord], Any] = lambda record: None, batching: Batching | None = None):
        self.function = function
        self.batching = batching or Batching(max_records=100, concurrency=1, ordering="sequence")
        self.kept: list[SimpleRecord] = []

    async def write_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Exception | None]:
        outcomes: list[Exception | None] = []
        for record in records:
            try:
                self.function(record)
            except Exception as error:
                outcomes.append(error)
            else:
                self.kept.append(record)
                outcomes.append(None)
        return outcomes


class Program(_Closing, Service):
    """A service."""

    def __init__(self, main: Callable[[], Awaitable[None]]) -> None:
        self._main = main

    async def main(self) -> None:
        await self._main()

    def address(self) -> str | None:
        return "http://127.0.0.1:9"


class NoOptions(Configuration):
    """Agents under test have none."""


def planned(id: str, make: Callable[[], AnyAgent]) -> PlannedAgent:
    kind = AgentType(
        name="scripted",
        component_type=ComponentType.PROCESSOR,
        configuration=NoOptions,
        create=lambda _: make(),
        summary="An agent under test.",
    )
    return PlannedAgent(id, kind, NoOptions())


def node(
    *agents: AnyAgent | Callable[[], AnyAgent],
    input: str | None = "in",
    output: str | None = "out",
    on_failure: OnFailure | str = OnFailure.FAIL,
    retries: int = 0,
    parallelism: int = 1,
    id: str = "node",
    disks: Iterable[str] = (),
) -> Node:
    makers = [agent if callable(agent) else (lambda agent=agent: agent) for agent in agents]
    members = tuple(planned(id if not index else f"{id}-{index}", maker) for index, maker in enumerate(makers))
    return Node(
        id=id,
        module="default",
        pipeline="pipeline",
        agents=members,
        input=input,
        output=output,
        dead_letter=f"{input}-deadletter" if input else None,
        group=f"group-{id}",
        resources=ResourcesSpec(parallelism=parallelism, disk=DiskSpec(enabled=bool(list(disks)))),
        errors=ErrorsSpec(OnFailure(on_failure), retries),
        disks=frozenset(disks),
    )


@dataclass
class Kit:
    """A cluster and the nodes started on it."""

    cluster: LocalCluster
    surroundings: Surroundings
    replicas: list[tuple[Replica, asyncio.Task[None]]] = field(default_factory=list)

    # the agents, by a short way
    Straight = Straight
    Raw = Raw
    Waiting = Waiting
    ListSource = ListSource
    ListSink = ListSink
    Program = Program
    Aborted = Aborted
    EOF, ABORT, PAUSE = EOF, ABORT, PAUSE
    node = staticmethod(node)

    async def topics(self, *names: str, partitions: int = 1) -> None:
        for name in names:
            await self.cluster.admin.create(TopicSpec(name, partitions))

    async def send(self, topic: str, *records: Any) -> None:
        producer = self.cluster.producer()
        await producer.start()
        await producer.send(topic, [each if isinstance(each, Record) else SimpleRecord(each) for each in records])
        await producer.close()

    async def run(self, node: Node, limits: Limits | None = None) -> Replica:
        """Start a replica; it runs until the test ends or stops it."""
        replica = Replica(node, self.surroundings, limits=limits)
        task = asyncio.create_task(replica.run())
        self.replicas.append((replica, task))
        running = asyncio.create_task(replica.running.wait())
        await asyncio.wait([running, task], return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        return replica

    async def stop(self, replica: Replica, deadline_seconds: float = 10.0) -> None:
        """A clean stop. Raises what the node failed of."""
        task = next(task for candidate, task in self.replicas if candidate is replica)
        self.replicas = [pair for pair in self.replicas if pair[0] is not replica]
        replica.stop(deadline_seconds)
        await asyncio.wait_for(task, 60)

    async def failure(self, replica: Replica) -> BaseException:
        """Wait until the node fails."""
        task = next(task for candidate, task in self.replicas if candidate is replica)
        await asyncio.wait([task], timeout=60)
        error = task.exception()
        assert error is not None
        self.replicas = [pair for pair in self.replicas if pair[0] is not replica]
        return error

    async def records(self, topic: str, count: int, seconds: float = 60.0) -> list[SimpleRecord]:
        """The first so many records of a topic."""
        reader = self.cluster.reader(topic, "earliest")
        await reader.start()
        found: list[SimpleRecord] = []
        async with asyncio.timeout(seconds):
            while len(found) < count:
                for run in await reader.read(10_000, 1.0):
                    found += run.records
        await reader.close()
        return found

    async def values(self, topic: str, count: int, seconds: float = 60.0) -> list[Any]:
        return [record.value() for record in await self.records(topic, count, seconds)]

    async def everything(self, topic: str) -> list[SimpleRecord]:
        """What the topic holds now."""
        described = await self.cluster.admin.describe(topic)
        assert described is not None
        return await self.records(topic, described.records or 0)

    async def committed(self, topic: str = "in", group: str = "group-node") -> int:
        """Records of the topic that the group has behind it."""
        positions = await self.cluster.admin.positions(topic)
        return sum(position.committed for position in positions if position.group == group)

    async def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while True:
                result = condition()
                if await result if inspect.isawaitable(result) else result:
                    return
                await asyncio.sleep(0.005)

    async def close(self) -> None:
        for replica, task in self.replicas:
            replica.stop(5.0)
            await asyncio.wait([task], timeout=60)
            if not task.cancelled():
                task.exception()
        await self.cluster.close()


async def new_kit(directory: Path) -> Kit:
    cluster = open_cluster({}, None)
    await cluster.start()
    surroundings = Surroundings(
        application_id="app",
        cluster=cluster,
        meters=Meters(),
        directories=StateDirectories(directory, "app"),
    )
    return Kit(cluster, surroundings)


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    kit = await new_kit(tmp_path)
    yield kit
    await kit.close()


@pytest.fixture
def make_kit() -> Callable[[Path], Awaitable[Kit]]:
    """For tests that make their own, several times over."""
    return new_kit
