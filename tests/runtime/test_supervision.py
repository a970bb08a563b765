"""A node that fails is started again; its numbers and its last error stay visible."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langstream.records import SimpleRecord
from langstream.runtime.replica import Limits
from langstream.runtime.supervision import Supervisor


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langstream.runtime.supervision.FIRST_PAUSE_SECONDS", 0.02)


async def test_the_failed_record_comes_first_again(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "bad", "b")
    attempts: list[str] = []

    def process(record: SimpleRecord) -> list[SimpleRecord]:
        attempts.append(record.value())
        if attempts.count("bad") < 3 and record.value() == "bad":
            raise ValueError("not yet")
        return [record]

    supervisor = Supervisor(kit.node(lambda: kit.Straight(process)), kit.surroundings)
    await supervisor.start()
    assert await kit.values("out", 3) == ["a", "bad", "b"]
    await kit.until(lambda: supervisor.status().state == "running")
    status = supervisor.status()
    assert status.restarts == 2
    assert status.last_error is not None
    assert "ValueError: not yet" in status.last_error
    assert status.errors == 2
    await supervisor.stop(5)
    assert supervisor.status().state == "stopped"
    assert supervisor.status().records_out == 3
    assert len(await kit.everything("out")) == 3


async def test_agents_are_made_anew_and_closed_once(kit: Any) -> None:
    await kit.topics("in", "out")
    made: list[Any] = []

    def make() -> Any:
        agent = kit.Straight(lambda record: ValueError("never"))
        made.append(agent)
        return agent

    supervisor = Supervisor(kit.node(make), kit.surroundings)
    await supervisor.start()
    await kit.send("in", "a")
    await kit.until(lambda: len(made) >= 3)
    await supervisor.stop(5)
    assert all((agent.started, agent.closed) == (1, 1) for agent in made)


async def test_a_node_that_cannot_start_is_failed_and_tried_again(kit: Any) -> None:
    await kit.topics("in", "out")
    tries: list[int] = []

    def make() -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("no route to host")
        return kit.Straight(lambda record: [record])

    supervisor = Supervisor(kit.node(make), kit.surroundings)
    await supervisor.start()
    assert supervisor.status().state == "failed"
    assert "no route to host" in (supervisor.status().last_error or "")
    await kit.send("in", "a")
    assert await kit.values("out", 1) == ["a"]
    assert supervisor.status().state == "running"
    await supervisor.stop(5)


async def test_parallelism_is_the_number_of_replicas(kit: Any) -> None:
    await kit.topics("in", "out", partitions=3)
    made: list[Any] = []

    def make() -> Any:
        made.append(kit.Straight(lambda record: [record]))
        return made[-1]

    supervisor = Supervisor(kit.node(make, parallelism=3), kit.surroundings)
    await supervisor.start()
    assert (supervisor.status().replicas, len(made)) == (3, 3)
    await kit.send("in", *(SimpleRecord(str(number), str(number)) for number in range(50)))
    assert len(await kit.values("out", 50)) == 50
    await supervisor.stop(5)
    assert sum(member.records_in for member in supervisor.status().members) == 50


async def test_a_node_without_progress_is_stuck(kit: Any) -> None:
    await kit.topics("in", "out")

    async def hangs(record: SimpleRecord) -> list[SimpleRecord]:
        await asyncio.Event().wait()
        return []

    supervisor = Supervisor(kit.node(lambda: kit.Waiting(hangs)), kit.surroundings, Limits(stuck_seconds=0.1))
    await supervisor.start()
    assert not supervisor.stuck()
    await kit.send("in", "a")
    await kit.until(supervisor.stuck)
    await supervisor.stop(0.01)


async def test_an_idle_node_is_not_stuck(kit: Any) -> None:
    await kit.topics("in", "out")
    supervisor = Supervisor(
        kit.node(lambda: kit.Straight(lambda record: [record])), kit.surroundings, Limits(stuck_seconds=0.01)
    )
    await supervisor.start()
    await asyncio.sleep(0.1)
    assert not supervisor.stuck()
    await supervisor.stop(5)


async def test_a_record_that_waits_for_its_retry_is_not_stuck(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a")

    class Later(Exception):
        retry_after_seconds = 30.0

    supervisor = Supervisor(
        kit.node(lambda: kit.Waiting(lambda record: Later()), retries=5), kit.surroundings, Limits(stuck_seconds=0.01)
    )
    await supervisor.start()
    await kit.until(lambda: supervisor.status().retries)
    await asyncio.sleep(0.05)
    assert not supervisor.stuck()
    await supervisor.stop(0.01)


async def test_stopping_ends_the_pause_before_a_restart(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langstream.runtime.supervision.FIRST_PAUSE_SECONDS", 60.0)
    supervisor = Supervisor(kit.node(lambda: kit.Straight(None), input="missing"), kit.surroundings)
    await supervisor.start()
    assert supervisor.status().state == "failed"
    async with asyncio.timeout(30):
        await supervisor.stop(1)
