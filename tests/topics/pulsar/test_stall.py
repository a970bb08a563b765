"""Records that the broker has and sends to nobody: when members take a partition up anew, and that it does no harm."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.records import SimpleRecord
from langstream.topics.pulsar.cluster import PulsarCluster
from langstream.topics.pulsar.stall import AWAY, FIRST_PAUSE, LONGEST_PAUSE, LOOKS, SECONDS, Sight, Watch, sight
from tests.topics.pulsar.moves import ends, send, topic
from tests.topics.pulsar.test_shared import Crew, divided, numbered, numbers, sharing

STALLED = Sight(members=2, waiting=15, sent=45, idle=True)
HARMLESS = {
    "nothing waits": Sight(2, 0, 45, True),
    "somebody is full, or has records of these keys": Sight(2, 15, 45, False),
}


def looks(watch: Watch, seen: Sight, start: float, seconds: float, interval: float = 1.0) -> list[float]:
    """When members that look from time to time would let go."""
    found = []
    for index in range(int(seconds / interval)):
        if watch.stalled(seen, start + index * interval):
            found.append(start + index * interval)
            watch.tried(found[-1])
    return found


def subscription(**changed: Any) -> dict[str, Any]:
    """The statistics of one whose records are stuck."""
    members = [{"consumerName": name, "availablePermits": 20, "unackedMessages": 0} for name in ("a", "b")]
    return {"msgBacklog": 15, "msgOutCounter": 45, "unackedMessages": 0, "consumers": members, **changed}


def test_records_that_wait_while_everybody_is_idle_are_seen() -> None:
    assert sight(subscription()) == STALLED


@pytest.mark.parametrize(
    "changed",
    [
        {"unackedMessages": 1},
        {"consumers": [{"availablePermits": 0, "unackedMessages": 0}, {"availablePermits": 20}]},
        {"consumers": [{"availablePermits": 5, "unackedMessages": 0}, {"availablePermits": 5, "unackedMessages": 3}]},
    ],
)
def test_a_member_that_is_full_or_at_work_may_be_why(changed: dict[str, Any]) -> None:
    assert not sight(subscription(**changed)).idle


def test_delayed_records_do_not_wait_and_no_subscription_is_no_stall() -> None:
    assert sight(subscription(msgDelayed=15)).waiting == 0
    assert sight({}) == Sight(0, 0, 0, True)


def test_a_stall_is_believed_after_several_looks() -> None:
    first, *_ = looks(Watch(), STALLED, 100.0, 60.0)
    assert first == 100.0 + LOOKS
    (quick, *_) = looks(Watch(), STALLED, 0.0, 9.0, interval=0.125)
    assert SECONDS <= quick < SECONDS + 0.5


@pytest.mark.parametrize("why", HARMLESS)
def test_nothing_happens_while(why: str) -> None:
    assert looks(Watch(), HARMLESS[why], 0.0, 3600.0) == []


@given(st.lists(st.sampled_from([*HARMLESS.values(), None]), max_size=20), st.integers(1, LOOKS - 1))
def test_every_sign_of_life_starts_the_count_again(signs: list[Sight | None], between: int) -> None:
    watch, sent, now = Watch(), 45, 0.0
    for sign in signs:
        for _ in range(between):
            assert not watch.stalled(Sight(2, 15, sent, True), now := now + 1.0)
        if sign is None:
            sent += 1
        else:
            assert not watch.stalled(sign, now := now + 1.0)
            watch.busy()


def test_a_member_with_records_of_its_own_counts_anew() -> None:
    watch = Watch()
    for start in range(0, 100, LOOKS):
        assert looks(watch, STALLED, float(start), LOOKS - 1) == []
        watch.busy()


def test_attempts_that_do_not_help_become_rare() -> None:
    tries = looks(Watch(), STALLED, 0.0, 4 * 3600.0)
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert pauses[0] >= FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


def test_once_nothing_waits_the_next_stall_is_a_new_one() -> None:
    watch = Watch()
    looks(watch, STALLED, 0.0, 3600.0)
    watch.stalled(HARMLESS["nothing waits"], 4000.0)
    assert looks(watch, STALLED, 4001.0, 20.0)[0] < 4001.0 + FIRST_PAUSE


@pytest.mark.parametrize(
    ("seen", "over"),
    [
        (STALLED, False),
        (Sight(0, 15, 45, True), True),
        (Sight(1, 15, 46, True), True),
        (HARMLESS["nothing waits"], True),
        (HARMLESS["somebody is full, or has records of these keys"], True),
    ],
)
def test_members_come_back_when_all_have_left_or_something_moves(seen: Sight, over: bool) -> None:
    watch = Watch()
    (left,) = looks(watch, STALLED, 0.0, LOOKS + 2)
    assert watch.over(seen, left + 1.0) is over
    assert watch.over(seen, left + AWAY), "they do not wait for ever"


async def test_taking_partitions_up_anew_all_the_time_loses_and_doubles_nothing(
    cluster: PulsarCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look lets go of whatever is free at that moment, with members at work."""
    left = []

    def tried(watch: Watch, now: float) -> None:
        left.append(now)
        real(watch, now)

    real = Watch.tried
    monkeypatch.setattr(Watch, "stalled", lambda *_: True)
    monkeypatch.setattr(Watch, "tried", tried)
    monkeypatch.setattr("langstream.topics.pulsar.shared.SharedPulsarConsumer._sights", sights_with_backlog)
    name = await topic(cluster, "anew", 2)
    crew = Crew(cluster, name)
    await crew.join()
    await crew.join()
    total = 0
    while len(left) < 12:
        await send(cluster, name, *numbered(range(total, total + 40)))
        total += 40
        await asyncio.sleep(0.1)
    await crew.got(total)
    await crew.stop()
    assert sorted(crew.delivered) == list(range(total)), "once each"


async def sights_with_backlog(consumer: Any, known: Any, precise: bool = False) -> dict[int, Sight]:
    """As if records waited everywhere; who is attached is as it is."""
    stats = await consumer._catalogue.stats(known, precise)
    found = {number: sight(stats[number].get("subscriptions", {}).get(consumer._group, {})) for number in stats}
    return {number: Sight(each.members, each.waiting + 1, each.sent, each.idle) for number, each in found.items()}


async def test_what_the_broker_forgot_reaches_the_next_member(cluster: PulsarCluster) -> None:
    """Provokes the stall, which comes in about two of five rounds: without a remedy, this fails nearly always."""
    await asyncio.gather(*(left_and_taken_up(cluster, number % 2) for number in range(6)))


async def left_and_taken_up(cluster: PulsarCluster, more: int) -> None:
    """Two members leave with everything unacknowledged, and the next come at once."""
    name = await topic(cluster, "forgotten")
    leaving = [await sharing(cluster, name) for _ in range(2)]
    padding = (("padding", "x" * 5_000),)
    await send(
        cluster, name, *(SimpleRecord(each.value(), each.key(), headers=padding) for each in numbered(range(400)))
    )
    await divided(leaving, 400)
    for each in leaving:
        await each.close()
    coming = [await sharing(cluster, name) for _ in range(1 + more)]
    found: set[int] = set()
    async with asyncio.timeout(60):
        while len(found) < 400:
            for each in coming:
                fetched = list(await each.poll(1_000, 0.05))
                found.update(numbers(fetched))
                await each.commit(ends(fetched))
    for each in coming:
        await each.close()
