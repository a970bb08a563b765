"""Batches that are written with a note of their name, or not at all."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from langstream.errors import Fenced, RecordError, TopicError, TopicNotFound
from langstream.records import SimpleRecord
from langstream.topics.contract import TopicCluster, TopicPublisher


@pytest.fixture(autouse=True)
def _needs_transactions(bench: Any) -> None:
    if not bench.cluster.capabilities.transactions:
        pytest.skip("this broker has no transactions")


@pytest.fixture
def name() -> str:
    return f"crawler-{uuid.uuid4().hex[:8]}"


async def elsewhere(bench: Any) -> TopicCluster:
    """As another process would see the topics, if the broker has a place for it."""
    cluster: TopicCluster = await bench.open() if bench.cluster.capabilities.shared else bench.cluster
    return cluster


def records(*values: Any) -> list[SimpleRecord]:
    return [SimpleRecord(value) for value in values]


async def test_whoever_comes_back_learns_which_batch_was_written_last(bench: Any, name: str) -> None:
    target, other = await bench.topic(), await bench.topic(partitions=3)
    publisher = bench.cluster.publisher(name, target)
    assert await publisher.start() is None
    await publisher.publish("first", [(target, records("a", "b")), (other, records("c"))])
    await publisher.publish("second", [(target, records("d"))])
    await publisher.close()
    again = (await elsewhere(bench)).publisher(name, target)
    assert await again.start() == "second"
    await again.publish("third", [(target, records("e"))])
    assert await bench.values(target) == ["a", "b", "d", "e"]
    assert await bench.values(other) == ["c"]
    await again.close()


async def test_a_batch_that_was_written_is_not_written_again(bench: Any, name: str) -> None:
    target = await bench.topic()
    publisher = bench.cluster.publisher(name, target)
    await publisher.start()
    for _ in range(2):
        await publisher.publish("only", [(target, records("a"))])
    assert await bench.values(target) == ["a"]


async def test_publishers_of_other_names_have_notes_of_their_own(bench: Any, name: str) -> None:
    target = await bench.topic()
    first, second = bench.cluster.publisher(name, target), bench.cluster.publisher(f"{name}-1", target)
    assert (await first.start(), await second.start()) == (None, None)
    await asyncio.gather(first.publish("x", [(target, records("a"))]), second.publish("y", [(target, records("b"))]))
    assert sorted(await bench.values(target)) == ["a", "b"]
    assert await bench.cluster.publisher(name, target).start() == "x"
    assert await bench.cluster.publisher(f"{name}-1", target).start() == "y"


async def test_one_that_was_taken_over_writes_nothing_more(bench: Any, name: str) -> None:
    target = await bench.topic()
    paused: TopicPublisher = bench.cluster.publisher(name, target)
    await paused.start()
    await paused.publish("first", [(target, records("a"))])
    successor = (await elsewhere(bench)).publisher(name, target)
    assert await successor.start() == "first"
    await successor.publish("third", [(target, records("b"))])
    with pytest.raises(Fenced, match="another process publishes"):
        await paused.publish("second", [(target, records("late"))])
    assert await bench.values(target) == ["a", "b"]
    assert await bench.cluster.publisher(name, target).start() == "third"


async def test_a_batch_that_is_refused_leaves_no_note(bench: Any, name: str) -> None:
    target = await bench.topic()
    publisher = bench.cluster.publisher(name, target)
    await publisher.start()
    await publisher.publish("first", [(target, records("a"))])
    with pytest.raises(RecordError):
        await publisher.publish("bad", [(target, records("b", object()))])
    with pytest.raises(TopicNotFound):
        await publisher.publish("nowhere", [(f"{target}-missing", records("c"))])
    assert await bench.cluster.publisher(name, target).start() == "first"
    assert await bench.values(target) == ["a"]


async def test_a_topic_that_is_not_there_is_told_at_the_start(bench: Any, name: str) -> None:
    with pytest.raises(TopicNotFound):
        await bench.cluster.publisher(name, "there-is-none").start()


async def test_notes_are_for_brokers_with_transactions() -> None:
    from langstream.topics.noop.cluster import NoCluster

    with pytest.raises(TopicError):
        NoCluster().publisher("any", "topic")
