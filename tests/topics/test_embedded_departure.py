"""What the last one left alone does with what others left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from langstream.errors import BrokerUnavailable
from langstream.topics.contract import TopicSpec
from langstream.topics.embedded import open_cluster
from langstream.topics.embedded.presence import Presence
from langstream.topics.embedded.watch import Watch


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


@pytest.fixture
async def pair(tmp_path: Path) -> Any:
    """Two processes' clusters, and a consumer of each; the partitions are shared."""
    first, second = open_cluster({}, tmp_path), open_cluster({}, tmp_path)
    await first.start()
    await second.start()
    await first.admin.create(TopicSpec("topic", 4))
    consumers = [cluster.consumer("topic", "group") for cluster in (first, second)]
    for consumer in consumers:
        await consumer.start()
    await until(lambda: [len(consumer.assignment()) for consumer in consumers] == [2, 2])
    yield first, second, consumers[0]
    await second.close()
    await first.close()


async def test_partitions_of_one_that_could_not_leave_are_taken_over(pair: Any, monkeypatch: Any) -> None:
    _, second, consumer = pair

    async def fail(*_: Any) -> None:
        raise BrokerUnavailable("the file is locked")

    monkeypatch.setattr(second._log, "leave", fail)
    await second.close()
    await until(lambda: len(consumer.assignment()) == 4)


async def test_a_departure_is_noticed_after_a_look_that_failed(pair: Any, monkeypatch: Any) -> None:
    import apsw

    first, second, consumer = pair
    look = Watch._look
    failures = 0

    def fail_once(watch: Watch, connection: Any) -> bool:
        nonlocal failures
        if watch._presence is first._log._presence and not failures:  # until it is alone, and once more
            failures += watch._presence.is_alone()
            raise apsw.BusyError("locked")
        return look(watch, connection)

    monkeypatch.setattr(Watch, "_look", fail_once)
    await second.close()
    await until(lambda: len(consumer.assignment()) == 4)
    assert failures == 1


@pytest.mark.parametrize("noticed", ["by the directory", "by the heartbeat"])
async def test_one_that_comes_and_leaves_between_two_looks_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: Any, noticed: str
) -> None:
    monkeypatch.setattr("langstream.topics.embedded.watch.ALONE_SECONDS", 0.5)
    if noticed == "by the directory":
        monkeypatch.setattr("langstream.topics.embedded.watch.HEARTBEAT_SECONDS", 3600.0)
    else:
        monkeypatch.setattr(Presence, "comings", property(lambda _: 0, lambda *_: None), raising=False)
    first = open_cluster({}, tmp_path)
    await first.start()
    await first.admin.create(TopicSpec("topic", 4))
    consumer = first.consumer("topic", "group")
    await consumer.start()
    await asyncio.sleep(0.2)  # it has looked, and found itself alone
    for _ in range(3):
        second = open_cluster({}, tmp_path)
        await second.start()
        passing = second.consumer("topic", "group")
        await passing.start()
        consumer._changes.set()  # it looks at its group in this moment, for whatever reason, and gives two up
        await until(lambda: len(passing.assignment()) == 2)  # noqa: B023 - at once
        await second.close()
        await until(lambda: len(consumer.assignment()) == 4)
    await first.close()
