"""The laws of a node: nothing lost, nothing doubled, equal keys in order, whatever agents do, however they are fed."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langstream.records import SimpleRecord
from langstream.runtime.replica import Limits
from langstream.sdk.contract import Batching, NotAttempted

batchings = st.builds(
    Batching,
    max_records=st.integers(1, 6),
    max_wait_seconds=st.sampled_from([0.0, 0.0, 0.003]),
    concurrency=st.integers(1, 6),
    ordering=st.sampled_from(["serial", "emission", "sequence"]),
)


@st.composite
def situations(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "keys": draw(st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=40)),
        "stages": draw(st.lists(st.one_of(st.none(), batchings), min_size=1, max_size=3)),
        "seed": draw(st.integers(0, 10_000)),
        "partitions": draw(st.integers(1, 3)),
        "in_flight": draw(st.integers(1, 50)),
        "split": draw(st.integers(1, 3)),
        "sink": draw(st.booleans()),
        "rekey": draw(st.booleans()),
    }


class Chaos:
    """What the agents of one run do: fail some attempts, wait a little, leave some records for later."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.failed: set[tuple[int, str]] = set()

    def fails(self, stage: int, record: SimpleRecord) -> bool:
        """Some records fail at their first attempt in a stage."""
        mark = (stage, record.value())
        if mark in self.failed or self.random.random() > 0.15:
            return False
        self.failed.add(mark)
        return True


def agent_of(kit: Any, chaos: Chaos, stage: int, batching: Batching | None, split: int, rekey: bool) -> Any:
    def results(record: SimpleRecord) -> list[SimpleRecord]:
        if split == 1:
            return [record]
        pieces = [record.with_value(f"{record.value()}.{piece}") for piece in range(split)]
        return [SimpleRecord(p.value(), f"{p.key()}-{i % 2}") for i, p in enumerate(pieces)] if rekey else pieces

    def process(record: SimpleRecord) -> Any:
        return ConnectionError("not now") if chaos.fails(stage, record) else results(record)

    if batching is None:
        return kit.Straight(process)
    ordering = batching.ordering

    class Stage(kit.Waiting):  # type: ignore[misc]
        inside: set[Any] = set()  # noqa: RUF012

        async def process_batch(self, records: Any) -> Any:
            keys = [record.key() for record in records if record.key() is not None]
            if ordering == "serial":
                assert len(keys) == len(set(keys)), "two records of a key in one call"
            if ordering != "emission":
                assert not self.inside & set(keys), "a key in two calls"
            self.inside |= set(keys)
            try:
                await asyncio.sleep(chaos.random.choice([0, 0, 0.001, 0.004]))
                return self.outcomes(records)
            finally:
                self.inside -= set(keys)

        def outcomes(self, records: Any) -> list[Any]:
            outcomes = [process(record) for record in records]
            if ordering == "sequence":
                for index, outcome in enumerate(outcomes[:-1]):
                    if isinstance(outcome, Exception):  # like an agent that works one by one
                        return outcomes[: index + 1] + [NotAttempted()] * (len(outcomes) - index - 1)
            return outcomes

    return Stage(None, batching)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(situation=situations())
def test_nothing_is_lost_doubled_or_out_of_order(situation: dict[str, Any], make_kit: Any, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("langstream.runtime.policy.LONGEST_DELAY_SECONDS", 0.005)
        asyncio.run(check(situation, make_kit, tmp_path))


async def check(situation: dict[str, Any], make_kit: Any, tmp_path: Path) -> None:
    kit = await make_kit(tmp_path)
    await kit.topics("in", "out", partitions=situation["partitions"])
    keys = situation["keys"]
    sent = [SimpleRecord(str(number), key) for number, key in enumerate(keys)]
    chaos = Chaos(situation["seed"])
    agents = [
        agent_of(kit, chaos, index, batching, situation["split"] if index == 0 else 1, situation["rekey"])
        for index, batching in enumerate(situation["stages"])
    ]
    sink = kit.ListSink() if situation["sink"] else None
    node = kit.node(*agents, *([sink] if sink else []), retries=40, output=None if sink else "out")
    limits = Limits(in_flight=situation["in_flight"], straight_in_flight=situation["in_flight"])
    replica = await kit.run(node, limits)
    for start in range(0, len(sent), 7):
        await kit.send("in", *sent[start : start + 7])
    try:
        await kit.until(lambda: all_committed(kit, len(sent)), 30)
        await kit.stop(replica)
        found = sink.kept if sink else await kit.everything("out")
        judge(found, keys, situation)
    finally:
        await kit.close()


async def all_committed(kit: Any, count: int) -> bool:
    committed: int = await kit.committed()
    return committed == count


def judge(found: list[SimpleRecord], keys: list[Any], situation: dict[str, Any]) -> None:
    split = situation["split"]
    expected = {
        f"{number}.{piece}" if split > 1 else str(number) for number in range(len(keys)) for piece in range(split)
    }
    values = [record.value() for record in found]
    assert len(values) == len(set(values)), "doubled"
    assert set(values) == expected, "lost"
    order: dict[tuple[Any, Any], tuple[int, ...]] = {}
    for record in found:
        place = tuple(map(int, record.value().split(".")))
        source_key = keys[place[0]]
        if source_key is None:
            continue
        lane = (source_key, record.key())
        assert order.get(lane, (-1,)) < place, f"{lane} out of order"
        order[lane] = place
