"""Several members of a consumer group: partitions move while records are in flight."""

from __future__ import annotations

import asyncio
from typing import Any

from langstream.records import SimpleRecord


async def test_replicas_share_the_partitions(kit: Any) -> None:
    await kit.topics("in", partitions=2)
    await kit.topics("out")
    seen: list[Any] = [[], []]

    def agent(index: int) -> Any:
        return kit.Straight(lambda record: seen[index].append(record.value()) or [record])

    await kit.run(kit.node(agent(0)))
    second = await kit.run(kit.node(agent(1)))
    await kit.until(lambda: second.flow is not None and second.flow._intake.consumer.assignment())
    await kit.send("in", *(SimpleRecord(str(number), str(number)) for number in range(100)))
    assert sorted(map(int, await kit.values("out", 100))) == list(range(100))
    assert seen[0]
    assert seen[1]


async def test_work_in_flight_is_committed_before_a_partition_moves(kit: Any) -> None:
    await kit.topics("in", partitions=2)
    await kit.topics("out")
    gate = asyncio.Event()

    async def slowly(record: SimpleRecord) -> list[SimpleRecord]:
        await gate.wait()
        return [record]

    first = await kit.run(kit.node(kit.Waiting(slowly)))
    await kit.send("in", *(SimpleRecord(str(number), str(number)) for number in range(20)))
    await kit.until(lambda: first.flow.in_flight == 20)
    joining = asyncio.create_task(kit.run(kit.node(kit.Waiting(lambda record: [record]))))
    await asyncio.sleep(0.05)
    gate.set()
    await joining
    assert sorted(map(int, await kit.values("out", 20))) == list(range(20))
    await asyncio.sleep(0.1)
    assert len(await kit.everything("out")) == 20, "nothing is repeated by the new owner"


async def test_work_that_misses_the_revocation_is_dropped_and_repeated_elsewhere(kit: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("langstream.runtime.intake.REVOKE_SECONDS", 0.05)
    await kit.topics("in", partitions=2)
    await kit.topics("out")
    gate = asyncio.Event()

    async def never(record: SimpleRecord) -> list[SimpleRecord]:
        await gate.wait()
        return [record]

    first = await kit.run(kit.node(kit.Waiting(never)))
    await kit.send("in", *(SimpleRecord(str(number), str(number)) for number in range(20)))
    await kit.until(lambda: first.flow.in_flight == 20)
    await kit.run(kit.node(kit.Waiting(lambda record: [record])))
    await kit.until(lambda: first.flow.in_flight < 20)
    kept = first.flow.in_flight
    moved = await kit.values("out", 20 - kept)
    gate.set()
    assert sorted(map(int, await kit.values("out", 20))) == list(range(20))
    assert len(moved) == 20 - kept
    await asyncio.sleep(0.1)
    assert len(await kit.everything("out")) == 20


async def test_a_member_that_was_fenced_drops_its_work_and_goes_on(kit: Any) -> None:
    await kit.topics("in", "out")
    gate = asyncio.Event()

    async def slowly(record: SimpleRecord) -> list[SimpleRecord]:
        await gate.wait()
        return [record]

    replica = await kit.run(kit.node(kit.Waiting(slowly)))
    await kit.send("in", "a")
    await kit.until(lambda: replica.flow.in_flight == 1)
    consumer = replica.flow._intake.consumer
    claims = dict(consumer._claims)
    consumer._claims.clear()  # as after a long pause of the process
    gate.set()
    await kit.until(lambda: replica.flow.in_flight == 0)
    assert await kit.everything("out") == []
    consumer._claims.update(claims)
    await kit.send("in", "b")
    assert await kit.values("out", 1) == ["b"]
