"""Subscriptions: nothing missed, nothing repeated, whatever way a session reads and however slow it is."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from langstream.errors import InvalidPosition, TopicError, TopicNotFound
from langstream.gateway.filters import Filter
from langstream.gateway.metrics import GatewayMetrics
from langstream.gateway.subscription import Subscription
from langstream.gateway.tail import Tails
from langstream.records import SimpleRecord, partition_of
from langstream.topics.contract import Fetched, Position, TopicCluster, TopicProducer, TopicSpec
from langstream.topics.memory import open_cluster


class Topic:
    """A topic and what reads it."""

    def __init__(self, cluster: TopicCluster, producer: TopicProducer, linger: float = 0.0) -> None:
        self.cluster = cluster
        self.producer = producer
        self.metrics = GatewayMetrics(CollectorRegistry())
        self.tails = Tails(self.metrics, linger)
        self.sent = 0
        self.gate = asyncio.Event()

    def session(
        self, position: Position = "latest", *pairs: tuple[str, str | None], records: int = 1000, size: int = 1 << 20
    ) -> Subscription:
        return Subscription(
            self.tails,
            self.metrics,
            self.cluster,
            "t",
            Filter(pairs),
            position,
            max_records=records,
            max_bytes=size,
        )

    async def send(self, count: int = 1, user: str = "ann") -> list[str]:
        values = [str(self.sent + number) for number in range(count)]
        self.sent += count
        await self.producer.send("t", [SimpleRecord(value, f"k{value}", [("user", user)]) for value in values])
        return values


@contextlib.asynccontextmanager
async def a_topic(partitions: int = 1) -> AsyncIterator[Topic]:
    cluster = open_cluster({}, None)
    await cluster.start()
    await cluster.admin.create(TopicSpec("t", partitions))
    producer = cluster.producer()
    await producer.start()
    topic = Topic(cluster, producer)
    yield topic
    await topic.tails.close()
    await producer.close()
    await cluster.close()


async def taken(session: Subscription, count: int) -> list[str]:
    return [(await one(session)) for _ in range(count)]


async def one(session: Subscription) -> str:
    delivery = await session.next(5)
    assert delivery is not None, "nothing came"
    return str(delivery.record.value())


async def test_a_timeout_gives_nothing_and_loses_nothing() -> None:
    async with a_topic() as topic, topic.session() as session:
        assert await session.next(0.01) is None
        assert await topic.send(2) == await taken(session, 2)


async def test_sessions_with_filters_see_their_records_only() -> None:
    async with (
        a_topic() as topic,
        topic.session("earliest", ("user", "ann")) as ann,
        topic.session("latest", ("user", "bob")) as bob,
        topic.session("latest", ("user", None)) as nobody,
    ):
        await topic.send(1, "ann")
        await topic.send(1, "bob")
        assert (await one(ann), await one(bob)) == ("0", "1")
        for session in (ann, bob, nobody):
            assert await session.next(0.01) is None


async def test_one_read_serves_every_session() -> None:
    async with a_topic() as topic, contextlib.AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(topic.session("latest", ("user", str(n)))) for n in range(200)]
        for number in range(200):
            await topic.send(1, str(number))
        for number, session in enumerate(sessions):
            assert await one(session) == str(number)
        assert topic.metrics.tail_records._value.get() == 200
        assert topic.metrics.catch_up_records._value.get() == 0


async def test_what_waits_for_a_slow_session_is_bounded() -> None:
    async with a_topic() as topic, topic.session(records=10) as slow, topic.session(size=500) as heavy:
        values = []
        for _ in range(50):
            values += await topic.send(10)
            await asyncio.sleep(0)
        for session in (slow, heavy):
            assert len(session._waiting) <= 10
            assert await taken(session, 500) == values
        assert topic.metrics.slow_sessions._value.get() >= 2
        assert await topic.send(1) == await taken(slow, 1)


async def test_a_session_returns_to_the_tail_after_catching_up() -> None:
    async with a_topic() as topic:
        await topic.send(1000)
        async with topic.session("earliest") as session:
            await taken(session, 1000)
            assert await session.next(0.01) is None
            alone = topic.metrics.catch_up_records._value.get()
            await topic.send(10)
            await taken(session, 10)
            assert topic.metrics.catch_up_records._value.get() == alone


async def test_the_tail_ends_with_its_last_session() -> None:
    async with a_topic() as topic:
        async with topic.session():
            assert topic.metrics.tails._value.get() == 1
        await asyncio.sleep(0.05)
        assert topic.metrics.tails._value.get() == 0
        async with topic.session() as session:
            assert await topic.send(1) == await taken(session, 1)


async def test_a_topic_that_is_not_there_is_said_to_be_missing() -> None:
    async with a_topic() as topic:
        for _ in range(2):
            with pytest.raises(TopicNotFound):
                await Subscription(topic.tails, topic.metrics, topic.cluster, "nope", Filter()).__aenter__()


async def test_a_token_of_another_topic_is_refused() -> None:
    async with a_topic() as topic:
        with pytest.raises(InvalidPosition):
            await topic.session(b'{"7": 3}').__aenter__()


async def test_sessions_hear_of_the_end_of_the_tail_after_what_was_read() -> None:
    async with a_topic() as topic, topic.session() as session:
        await topic.send(1)
        await asyncio.sleep(0.01)
        await topic.cluster.close()
        assert await one(session) == "0"
        with pytest.raises(TopicError):
            await session.next(5)


async def test_a_session_that_is_cancelled_while_opening_releases_the_tail() -> None:
    async with a_topic() as topic:
        opening = asyncio.create_task(topic.session("earliest").__aenter__())
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        await asyncio.sleep(0.05)
        assert topic.tails._holders == {}
        assert topic.metrics.tails._value.get() == 0


KEYS = [next(key for key in "abcdefgh" if partition_of(key, 2) == partition) for partition in (0, 1)]


@contextlib.asynccontextmanager
async def a_session_ahead_of_the_tail(records: int) -> AsyncIterator[tuple[Topic, Subscription]]:
    """Two partitions, two records a0 and a1; the session has both, the tail stands still before them."""
    async with a_topic(partitions=2) as topic:
        tail = await topic.tails.acquire(topic.cluster, "t")
        gate = asyncio.Event()
        read = tail._reader.read

        async def gated(*limits: Any) -> Sequence[Fetched]:
            await gate.wait()
            return await read(*limits)

        tail._reader.read = gated  # type: ignore[method-assign, assignment]
        topic.gate = gate
        # The read under way is not gated: it ends with a record of its own.
        await topic.producer.send("t", [SimpleRecord("first", KEYS[0])])
        await asyncio.sleep(0.01)
        await topic.producer.send("t", [SimpleRecord(f"a{partition}", KEYS[partition]) for partition in (0, 1)])
        async with topic.session("earliest", records=records) as session:
            assert sorted(await taken(session, 3)) == ["a0", "a1", "first"]
            assert await session.next(0.01) is None
            assert session._following
            yield topic, session
        topic.tails.release(tail)


async def test_the_position_is_the_sessions_own_while_it_is_ahead_of_the_tail() -> None:
    async with a_session_ahead_of_the_tail(records=100) as (topic, session):
        await topic.producer.send("t", [SimpleRecord(f"b{partition}", KEYS[partition]) for partition in (0, 1)])
        topic.gate.set()
        delivery = await session.next(5)
        assert delivery is not None
        rest = {"b0", "b1"} - {delivery.record.value()}
        assert {await one(session)} == rest
        async with topic.session(base64.b64decode(delivery.offset)) as resumed:
            assert {await one(resumed)} == rest
            assert await resumed.next(0.01) is None


async def test_a_session_ahead_of_the_tail_that_falls_behind_repeats_nothing() -> None:
    async with a_session_ahead_of_the_tail(records=1) as (topic, session):
        sent = [SimpleRecord(f"b{partition}{number}", KEYS[partition]) for partition in (0, 1) for number in range(3)]
        await topic.producer.send("t", sent)
        topic.gate.set()
        await asyncio.sleep(0.01)
        assert not session._following
        assert sorted(await taken(session, 6)) == [record.value() for record in sent]
        assert await session.next(0.01) is None


Step = st.one_of(
    st.tuples(st.just("send"), st.integers(1, 30)),
    st.tuples(st.just("take"), st.integers(1, 20)),
    st.tuples(st.just("resume"), st.just(0)),
    st.tuples(st.just("turn"), st.integers(1, 5)),
)


@settings(max_examples=60, deadline=None)
@given(
    partitions=st.integers(1, 4),
    records=st.integers(1, 20),
    start=st.sampled_from(["latest", "earliest"]),
    before=st.integers(0, 40),
    steps=st.lists(Step, max_size=25),
)
def test_every_record_comes_exactly_once_whatever_happens(
    partitions: int, records: int, start: Position, before: int, steps: list[tuple[str, int]]
) -> None:
    async def run() -> None:
        async with a_topic(partitions) as topic, topic.session():
            expected: set[str] = set()
            old = await topic.send(before) if before else []
            if start == "earliest":
                expected.update(old)
            session = await topic.session(start, records=records).__aenter__()
            seen: list[str] = []
            position: Position = start

            async def take(count: int) -> None:
                nonlocal position
                for _ in range(count):
                    delivery = await session.next(1)
                    assert delivery is not None
                    seen.append(str(delivery.record.value()))
                    position = base64.b64decode(delivery.offset)

            for step, number in steps:
                if step == "send":
                    expected.update(await topic.send(number))
                elif step == "take":
                    await take(min(number, len(expected) - len(seen)))
                elif step == "turn":
                    for _ in range(number):
                        await asyncio.sleep(0)
                elif seen:  # a session that saw nothing has no token: its client would start anew
                    await session.close()
                    session = await topic.session(position, records=records).__aenter__()
            await take(len(expected) - len(seen))
            assert await session.next(0.01) is None
            await session.close()
            assert len(seen) == len(set(seen))
            assert set(seen) == expected

    asyncio.run(run())
