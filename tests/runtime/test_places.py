"""Agents that remember what they did for a record learn where it came from, and when it is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from langstream.application.model import OnFailure
from langstream.errors import RecordError, ServiceError
from langstream.records import SimpleRecord
from langstream.runtime.flow import Ends, Flow
from langstream.runtime.metrics import AgentCounts, Meters, NodeCounts
from langstream.runtime.policy import Policy, Redactor
from langstream.runtime.unit import Batch, Tracker
from langstream.runtime.worker import Worker
from langstream.sdk.contract import AsyncProcessor, Batching, Outcome, Place, PlacedProcessor, Processor
from langstream.topics.contract import TopicPartition

PARTITION = TopicPartition("in", 2)


class Remembering(PlacedProcessor):
    """Notes the places, and fails as often as it is told to."""

    batching = Batching(max_records=10, concurrency=10)

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.places: list[Place | None] = []
        self.settled_contents: list[bytes] = []
        self.told: list[tuple[str, int, int]] = []

    async def process_placed(
        self, records: Sequence[SimpleRecord], places: Sequence[Place | None]
    ) -> Sequence[Outcome]:
        self.places += places
        return [self.errors.pop(0) if self.errors else [record] for record in records]

    def committed(self, topic: str, partition: int, next_offset: int) -> None:
        self.told.append((topic, partition, next_offset))

    def settled(self, content: bytes) -> None:
        self.settled_contents.append(content)


class Twice(Processor):
    def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        return [[record, record] for record in records]


class Failing(AsyncProcessor):
    """Behind the agent: its failure sends the record through the node again."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        return [self.errors.pop(0) if self.errors else [record] for record in records]


class Quiet:
    """An intake and a producer that do nothing."""

    async def commit(self, finished: Any) -> None: ...

    async def send(self, topic: str, records: Any) -> None: ...


async def passed(*agents: Any, partition: TopicPartition | None = PARTITION, records: int = 1) -> Flow:
    """The flow after records with offsets from 7 on went through the agents."""
    meters = Meters()
    workers = [Worker(f"a{index}", agent, AgentCounts(meters, f"a{index}")) for index, agent in enumerate(agents)]
    quiet: Any = Quiet()
    flow = Flow(
        workers,
        Policy(5, OnFailure.FAIL),
        Ends("node", "out", None, {"out"}, lambda topic: None),
        quiet,
        quiet,
        transactional=False,
        counts=NodeCounts(meters, "node"),
        redact=Redactor(),
        on_failure=lambda error: None,
    )
    delivering = asyncio.create_task(flow.delivery.run())
    values = [SimpleRecord(str(number), str(number)) for number in range(records)]
    offsets = range(7, 7 + records) if partition is not None else ()
    flow.accept(Batch(Tracker(partition), values, list(offsets)))
    async with asyncio.timeout(60):
        while flow.in_flight:
            flow.changed.clear()
            await flow.changed.wait()
    delivering.cancel()
    await asyncio.wait([delivering])
    return flow


async def test_the_place_is_that_of_the_source_record() -> None:
    agent = Remembering()
    await passed(agent, records=2)
    assert agent.places == [Place("in", 2, 7), Place("in", 2, 8)]


async def test_records_made_of_one_are_told_apart() -> None:
    agent = Remembering()
    await passed(Twice(), agent)
    assert agent.places == [Place("in", 2, 7, (0,)), Place("in", 2, 7, (1,))]
    agent = Remembering()
    await passed(Twice(), Twice(), agent)
    assert {place.path for place in agent.places if place} == {(0, 0), (0, 1), (1, 0), (1, 1)}


async def test_records_of_a_source_agent_are_known_by_their_content() -> None:
    agent, again = Remembering(), Remembering()
    await passed(Twice(), agent, partition=None, records=2)
    await passed(Twice(), again, partition=None, records=2)
    assert agent.places == again.places
    assert len({place.content for place in agent.places if place}) == 2
    assert {place.path for place in agent.places if place} == {(0,), (1,)}
    assert set(agent.settled_contents) == {place.content for place in agent.places if place}
    assert agent.told == []


async def test_the_agent_learns_what_is_committed() -> None:
    agent = Remembering()
    await passed(agent, records=3)
    assert agent.told[-1] == ("in", 2, 10)


async def test_after_a_failure_that_passes_what_is_remembered_is_good() -> None:
    agent = Remembering(ServiceError("away"))
    await passed(agent)
    assert [place.anew for place in agent.places if place] == [False, False]


async def test_after_another_failure_it_is_not() -> None:
    agent = Remembering(RecordError("what is this"))
    await passed(agent)
    assert [place.anew for place in agent.places if place] == [False, True]


async def test_the_same_holds_for_failures_of_later_agents() -> None:
    agent = Remembering()
    await passed(agent, Failing(RecordError("nonsense"), ServiceError("away")))
    assert [place.anew for place in agent.places if place] == [False, True, False]


async def test_called_without_places_it_knows_none() -> None:
    agent = Remembering()
    await agent.process_batch([SimpleRecord("x")])
    assert agent.places == [None]
