"""Shares of a consumer group: fair, stable, and reached by every member moving for itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from langstream.topics.local.assignment import next_move, quotas


def _settle(members: list[str], partitions: int, owners: dict[int, str], order: list[int]) -> dict[int, str]:
    """Let members move, in any order, until nobody wants to."""
    ids = list(range(partitions))
    for _ in range(200):
        moved = False
        for index in [*order, *range(len(members))]:
            member = members[index % len(members)]
            move = next_move(member, members, ids, owners)
            for partition in move.give_up:
                assert owners.pop(partition) == member
            for partition in move.claim:
                assert owners.get(partition) not in members, "only free partitions are claimed"
                owners[partition] = member
            moved = moved or bool(move.claim or move.give_up)
        if not moved:
            return owners
    raise AssertionError("the members never settle")


@given(
    members=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True),
    partitions=st.integers(1, 12),
    before=st.dictionaries(st.integers(0, 11), st.sampled_from("abcdefghxyz")),
    order=st.lists(st.integers(0, 5), max_size=10),
)
def test_every_partition_is_claimed_and_shares_differ_by_one_at_most(
    members: list[str], partitions: int, before: dict[int, str], order: list[int]
) -> None:
    owners = _settle(members, partitions, {p: owner for p, owner in before.items() if p < partitions}, order)
    assert set(owners) == set(range(partitions))
    sizes = [list(owners.values()).count(member) for member in members]
    assert sum(sizes) == partitions
    assert max(sizes) - min(sizes) <= 1


@given(partitions=st.integers(1, 20), members=st.integers(1, 6))
def test_a_newcomer_takes_only_its_own_share(partitions: int, members: int) -> None:
    names = [str(number) for number in range(members)]
    before = _settle(names, partitions, {}, [])
    after = _settle([*names, "new"], partitions, dict(before), [])
    moved = [partition for partition in after if after[partition] != before[partition]]
    assert all(after[partition] == "new" for partition in moved)
    assert len(moved) <= partitions // (members + 1)


def test_odd_partitions_stay_with_those_who_hold_them() -> None:
    assert quotas(["a", "b"], {"a": 1, "b": 2}, 3) == {"a": 1, "b": 2}


def test_the_partitions_of_members_that_left_are_free() -> None:
    assert next_move("a", ["a"], [1, 2], {1: "gone"}).claim == (1, 2)
