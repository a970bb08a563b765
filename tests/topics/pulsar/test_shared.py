"""Members that share partitions, on a real Pulsar: order per key, handing over, commits one by one."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from langstream.errors import ApplicationRefused, Fenced, TopicError, TopicNotFound
from langstream.records import SimpleRecord
from langstream.topics.contract import Fetched, TopicPartition, TopicSpec
from langstream.topics.pulsar.cluster import PulsarCluster
from tests.servers.pulsar import NAMESPACE, Pulsar
from tests.topics.pulsar.moves import ends, member, runs, send, topic, until, values

KEYS = 12


def numbered(numbers: Iterable[int], keys: int = KEYS) -> list[SimpleRecord]:
    """Records with a number each, on a few keys in turn."""
    return [SimpleRecord(str(number), f"key-{number % keys}") for number in numbers]


async def sharing(cluster: PulsarCluster, name: str, how: str = "Key_Shared", **options: Any) -> Any:
    """A started member of the topic's only group."""
    return await member(cluster, name, subscriptionType=how, **options)


def numbers(fetched: Sequence[Fetched]) -> list[int]:
    return [int(record.value()) for run in fetched for record in run.records]


def in_order(found: Iterable[int], keys: int = KEYS) -> bool:
    """Whether the first deliveries of each key are."""
    per_key = defaultdict(list)
    for number in dict.fromkeys(found):
        per_key[number % keys].append(number)
    return all(each == sorted(each) for each in per_key.values())


async def divided(members: Sequence[Any], count: int) -> list[list[Fetched]]:
    """So many records, by the members that got them."""
    found: list[list[Fetched]] = [[] for _ in members]
    async with asyncio.timeout(60):
        while sum(len(numbers(each)) for each in found) < count:
            for each, consumer in zip(found, members, strict=True):
                each += await consumer.poll(1_000, 0.02)
    assert sum(len(numbers(each)) for each in found) == count
    return found


class Crew:
    """Members at work: each notes what it gets, and commits most of it a little later."""

    def __init__(self, cluster: PulsarCluster, name: str) -> None:
        self._cluster = cluster
        self._name = name
        self._working: dict[Any, asyncio.Task[None]] = {}
        self.delivered: list[int] = []
        self.by_member: dict[Any, list[int]] = {}
        self.in_flight: dict[Any, list[int]] = {}
        self.left_behind: set[int] = set()

    async def join(self) -> Any:
        consumer = await sharing(self._cluster, self._name, receiverQueueSize=20)
        self.by_member[consumer], self.in_flight[consumer] = [], []
        self._working[consumer] = asyncio.create_task(self._work(consumer))
        return consumer

    async def leave(self, consumer: Any) -> None:
        """In the middle of its work."""
        task = self._working.pop(consumer)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self.left_behind.update(self.in_flight[consumer])
        await consumer.close()

    async def stop(self) -> None:
        """All of them."""
        for consumer in list(self._working):
            await self.leave(consumer)

    async def got(self, count: int) -> None:
        """So many of the records were delivered."""
        await until(lambda: len(set(self.delivered)) >= count or any(task.done() for task in self._working.values()))
        for task in self._working.values():
            if task.done():
                task.result()

    async def _work(self, consumer: Any) -> None:
        while True:
            fetched = await consumer.poll(7, 5.0)
            found = numbers(fetched)
            self.delivered += found
            self.by_member[consumer] += found
            self.in_flight[consumer] += found
            await asyncio.sleep(0.005)
            await consumer.commit(ends(fetched))
            self.in_flight[consumer].clear()


async def test_order_per_key_holds_while_members_come(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "order")
    crew = Crew(cluster, name)
    await crew.join()
    for start in range(0, 400, 50):
        await send(cluster, name, *numbered(range(start, start + 50)))
        if start in (100, 200):
            await crew.join()
    await crew.got(400)
    assert crew.delivered == list(dict.fromkeys(crew.delivered)), "nothing is repeated"
    assert in_order(crew.delivered)
    await crew.stop()


async def test_nothing_is_lost_while_members_come_and_go(cluster: PulsarCluster) -> None:
    """In which order the broker gives back what a busy member leaves, is its own affair: see the documentation."""
    name = await topic(cluster, "order")
    crew = Crew(cluster, name)
    first, _second = await crew.join(), await crew.join()
    for start in range(0, 600, 50):
        await send(cluster, name, *numbered(range(start, start + 50)))
        if start == 150:
            third = await crew.join()
        if start == 300:
            await crew.leave(first)
        if start == 400:
            await crew.join()
        if start == 500:
            await crew.leave(third)
    await crew.got(600)
    await crew.stop()
    assert sorted(set(crew.delivered)) == list(range(600)), "nothing is lost"
    repeated = {number for number in crew.delivered if crew.delivered.count(number) > 1}
    assert repeated <= crew.left_behind, "only what was in flight comes again"
    assert sum(1 for found in crew.by_member.values() if found) >= 3


@pytest.mark.parametrize("how", ["Key_Shared", "Shared"])
async def test_more_members_than_partitions_all_get_work(cluster: PulsarCluster, how: str) -> None:
    name = await topic(cluster, "crowd")
    keys = 60  # chance gives each member some
    members = [await sharing(cluster, name, how) for _ in range(3)]
    for start in range(0, 300, 30):
        await send(cluster, name, *numbered(range(start, start + 30), keys))
    found = [numbers(each) for each in await divided(members, 300)]
    assert all(found)
    assert sorted(number for each in found for number in each) == list(range(300))
    if how == "Key_Shared":
        shares = [{number % keys for number in each} for each in found]
        assert sum(map(len, shares)) == keys, "each key has one member"
        assert all(in_order(each, keys) for each in found)
    for consumer in members:
        assert consumer.assignment() == {TopicPartition(name, 0)}


async def test_commits_acknowledge_each_record_by_itself(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "single")
    members = [await sharing(cluster, name) for _ in range(2)]
    await send(cluster, name, *numbered(range(120)))
    found = await divided(members, 120)
    left = set()
    for consumer, fetched in zip(members, found, strict=True):
        offsets = [offset for run in fetched for offset in run.offsets]
        half = len(offsets) // 2
        await consumer.commit({TopicPartition(name, 0): offsets[half - 1] + 1})
        left.update(numbers(fetched)[half:])
    for consumer in members:
        await consumer.close()
    owner = await member(cluster, name)  # an owner reads all that is left, whatever the members were given
    assert numbers(await runs(owner, len(left))) == sorted(left)


async def test_what_a_member_leaves_goes_to_the_others_in_order(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "leaving", 2)
    first = await sharing(cluster, name)
    await send(cluster, name, *numbered(range(60)))
    fetched = await runs(first, 60)
    place = TopicPartition(name, 0)
    mine = [run for run in fetched if run.partition == 0]
    done = numbers(mine[:1])
    await first.commit(ends(mine[:1]))
    second = await sharing(cluster, name)
    await send(cluster, name, *numbered(range(60, 60 + KEYS)))
    await first.close()
    again: list[int] = []
    while len(again) < 60 + KEYS - len(done):  # brokers keep some of them until something is acknowledged
        came = await runs(second, 1)
        again += numbers(came)
        await second.commit(ends(came))
    assert sorted(again) == sorted(set(range(60 + KEYS)) - set(done))
    assert in_order(again)
    with pytest.raises(Fenced, match="has left"):
        await first.commit({place: 0})


async def test_offsets_go_back_when_records_of_another_member_come(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "back")
    first = await sharing(cluster, name, "Shared")
    await send(cluster, name, *numbered(range(10)))
    early = await runs(first, 10)
    second = await sharing(cluster, name, "Shared")
    await send(cluster, name, *numbered(range(10, 40)))
    theirs, mine = await divided([first, second], 30)
    await first.close()
    came = await runs(second, 10 + len(numbers(theirs)))
    assert came[0].offsets[0] == early[0].offsets[0]
    assert came[0].offsets[0] < mine[0].offsets[0]
    for run in came:
        assert list(run.offsets) == sorted(set(run.offsets))
    await second.commit({TopicPartition(name, 0): came[0].offsets[0] + 1})
    await second.close()
    left = numbers(came)[1:]
    last = await sharing(cluster, name, "Shared")
    assert sorted(numbers(await runs(last, len(left)))) == sorted(left), "what was handed out before is committed too"


async def test_what_is_delivered_again_while_in_flight_is_handed_out_once(
    cluster: PulsarCluster, pulsar_server: Pulsar
) -> None:
    name = await topic(cluster, "again")
    consumer = await sharing(cluster, name)
    await send(cluster, name, *numbered(range(50)))
    fetched = await runs(consumer, 30)
    part = f"persistent/{NAMESPACE}/{name}-partition-0"
    pulsar_server.ask("PUT", f"{part}/unload")  # every client has to connect again
    await send(cluster, name, *numbered(range(50, 50 + KEYS)))
    fetched += await runs(consumer, 20 + KEYS)
    assert sorted(numbers(fetched)) == list(range(50 + KEYS))
    assert in_order(numbers(fetched))
    await consumer.commit(ends(fetched))
    await consumer.close()
    await send(cluster, name, "last")
    assert await values(await sharing(cluster, name), 1) == ["last"]


async def test_batches_do_not_mix_keys(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "batches")
    members = [await sharing(cluster, name) for _ in range(3)]
    options = {"consumer.subscriptionType": "key-shared", "producer.batchingEnabled": True}
    producer = cluster.producer(options={**options, "producer.batchingMaxPublishDelayMicros": 20_000})
    await producer.send(name, numbered(range(300)))
    found = await divided(members, 300)
    entries = {offset >> 16 for each in found for run in each for offset in run.offsets}
    assert len(entries) < 300, "nothing was batched"
    shares = [numbers(each) for each in found]
    keys = [{number % KEYS for number in share} for share in shares]
    assert sum(map(len, keys)) == KEYS, "each key has one member"
    assert all(in_order(share) for share in shares)
    for consumer, each in zip(members, found, strict=True):
        await consumer.commit(ends(each))
        assert set((await consumer.lag()).values()) == {0}


async def test_records_in_pieces_reach_one_member_whole(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "pieces")
    large = "x" * 6_000_000
    first, second = await sharing(cluster, name), await sharing(cluster, name)
    await send(cluster, name, SimpleRecord(large, "a"), SimpleRecord("after", "a"))
    found: list[Any] = []
    async with asyncio.timeout(60):
        while sum(len(run.records) for _, run in found) < 2:
            found += [(each, run) for each in (first, second) for run in await each.poll(10, 0.05)]
    assert len({id(consumer) for consumer, _ in found}) == 1
    assert [record.value() for _, run in found for record in run.records] == [large, "after"]
    consumer = found[0][0]
    await consumer.commit(ends([run for _, run in found]))
    await first.close()
    await second.close()
    await send(cluster, name, "next")
    assert await values(await sharing(cluster, name), 1) == ["next"]


async def test_the_lags_of_the_members_make_up_that_of_the_group(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "behind")
    place = TopicPartition(name, 0)
    members = [await sharing(cluster, name) for _ in range(2)]
    await send(cluster, name, *numbered(range(100)))
    found = await divided(members, 100)
    lags = [(await consumer.lag())[place] for consumer in members]
    assert lags == [len(numbers(each)) for each in found]
    (position,) = await cluster.admin.positions(name)
    assert position.lag == 100
    assert position.member is not None
    assert len(position.member.split(", ")) == 2
    await members[0].commit(ends(found[0]))
    assert [(await consumer.lag())[place] for consumer in members] == [0, lags[1]]


@pytest.mark.parametrize(
    ("present", "coming"), [("Exclusive", "Key_Shared"), ("Key_Shared", "Exclusive"), ("Shared", "Key_Shared")]
)
async def test_members_of_another_type_are_told(cluster: PulsarCluster, present: str, coming: str) -> None:
    name = await topic(cluster, "types")
    one = await sharing(cluster, name, present)
    with pytest.raises(TopicError, match=rf"type {present} are connected.*has {coming}\..*stop all members"):
        await sharing(cluster, name, coming)
    await one.close()
    await send(cluster, name, "a")
    assert await values(await sharing(cluster, name, coming), 1) == ["a"]


async def test_what_was_acknowledged_one_by_one_does_not_come_to_an_owner(cluster: PulsarCluster) -> None:
    """Somebody changes the type of a topic whose members are stopped."""
    name = await topic(cluster, "change")
    members = [await sharing(cluster, name) for _ in range(2)]
    await send(cluster, name, *numbered(range(60)))
    found = await divided(members, 60)
    await members[1].commit(ends(found[1]))
    for consumer in members:
        await consumer.close()
    owner = await member(cluster, name)
    left = numbers(found[0])
    assert numbers(await runs(owner, len(left))) == sorted(left)


async def test_members_learn_that_the_topic_is_gone(cluster: PulsarCluster) -> None:
    name = await topic(cluster, "gone")
    consumer = await sharing(cluster, name)
    await cluster.admin.delete(name)
    with pytest.raises(TopicNotFound, match=name):
        await consumer.poll(1, 60.0)


async def test_partitions_that_are_added_are_read(cluster: PulsarCluster, pulsar_server: Pulsar) -> None:
    name = await topic(cluster, "growing")
    consumer = await sharing(cluster, name)
    pulsar_server.ask("POST", f"persistent/{NAMESPACE}/{name}/partitions", 3)
    added = TopicPartition(name, 2)
    await until(lambda: added in consumer.assignment())
    cluster._catalogue.forget(name)
    await send(cluster, name, *numbered(range(60)))
    fetched = await runs(consumer, 60)
    assert {run.partition for run in fetched} == {0, 1, 2}


async def test_a_wrong_type_is_refused_before_the_topic_is_made(cluster: PulsarCluster) -> None:
    name = f"refused-{uuid.uuid4().hex[:8]}"
    with pytest.raises(ApplicationRefused, match="'subscriptionType' is 'Failover'"):
        await cluster.admin.create(TopicSpec(name, 1, options={"consumer.subscriptionType": "Failover"}))
    assert await cluster.admin.describe(name) is None
