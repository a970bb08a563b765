"""Batches by primary key: order among equal keys, and the bad ones alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from langstream.errors import ServiceError
from langstream.sdk.contract import NotAttempted
from langstream.services.stores.batches import identity, rounds, write_by_key
from langstream.services.stores.contract import Write

CHANGES = st.lists(st.tuples(st.sampled_from("abcde"), st.none() | st.integers(-3, 20)), max_size=40)


class Rows:
    """A store of numbers that refuses whole calls with a negative one in them."""

    def __init__(self) -> None:
        self.content: dict[str, int] = {}
        self.calls = 0
        self.failure: ServiceError | None = None

    async def upsert(self, writes: Sequence[Write]) -> None:
        self.calls += 1
        if self.failure:
            raise self.failure
        assert len({write.key["id"] for write in writes}) == len(writes)
        values = {write.key["id"]: (write.values or {})["n"] for write in writes}
        if any(value < 0 for value in values.values()):
            raise ServiceError("negative", category="refused")
        self.content |= values

    async def delete(self, writes: Sequence[Write]) -> None:
        for write in writes:
            self.content.pop(write.key["id"], None)


def writes(changes: Sequence[tuple[str, int | None]]) -> list[Write]:
    return [Write({"id": id}, None if number is None else {"n": number}) for id, number in changes]


@given(CHANGES, st.integers(1, 10))
async def test_a_batch_ends_as_if_written_one_by_one(changes: list[tuple[str, int | None]], limit: int) -> None:
    rows, expected = Rows(), dict[str, int]()
    for id, number in changes:
        if number is None:
            expected.pop(id, None)
        elif number >= 0:
            expected[id] = number
    left = changes
    while left:  # as the runtime does
        outcomes = await write_by_key(writes(left), rows.upsert, rows.delete, limit)
        assert not isinstance(outcomes[0], NotAttempted)
        for (_, number), outcome in zip(left, outcomes, strict=True):
            bad = number is not None and number < 0
            assert isinstance(outcome, NotAttempted) or (outcome is not None) is bad
        left = [change for change, outcome in zip(left, outcomes, strict=True) if isinstance(outcome, NotAttempted)]
    assert rows.content == expected


async def test_what_comes_after_a_failed_write_of_its_key_waits() -> None:
    rows = Rows()
    outcomes = await write_by_key(writes([("a", -1), ("a", 2), ("b", 3), ("a", None)]), rows.upsert, rows.delete)
    assert isinstance(outcomes[0], ServiceError)
    assert [type(outcome) for outcome in outcomes[1:]] == [NotAttempted, type(None), NotAttempted]
    assert rows.content == {"b": 3}


async def test_one_bad_row_among_many_costs_few_calls() -> None:
    rows = Rows()
    await write_by_key(writes([(f"{n}", -1 if n == 77 else n) for n in range(256)]), rows.upsert, rows.delete)
    assert len(rows.content) == 255
    assert rows.calls == 17  # one for all, two for each halving


async def test_a_value_that_the_store_cannot_express_is_its_rows_failure() -> None:
    rows = Rows()
    bad = Write({"id": "bad"}, {"m": 1})
    first, problem, last = await write_by_key([*writes([("a", 1)]), bad, *writes([("c", 3)])], rows.upsert, rows.delete)
    assert (first, last, rows.content) == (None, None, {"a": 1, "c": 3})
    assert "cannot be written: 'n'" in str(problem)


async def test_a_store_that_is_away_is_not_asked_for_each_row() -> None:
    rows = Rows()
    rows.failure = ServiceError("away")
    outcomes = await write_by_key(writes([("a", 1), ("b", 2)]), rows.upsert, rows.delete)
    assert outcomes == [rows.failure] * 2
    assert rows.calls == 1


def test_keys_of_different_types_are_different() -> None:
    keys: list[dict[str, Any]] = [{"id": 1}, {"id": True}, {"id": "1"}, {"id": 1.0}, {"id": [1]}, {"id": {"a": 1}}]
    assert len({identity(key) for key in keys}) == len(keys)
    assert identity({"id": [1]}) == identity({"id": [1]})


def test_rounds_are_as_few_as_the_most_frequent_key() -> None:
    found = rounds(writes([("a", 1), ("b", 1), ("a", 2), ("a", 3)]))
    assert [list(places.values()) for places in found] == [[0, 1], [2], [3]]
    assert list(rounds([])) == []
