"""Nodes with asynchronous stages: feeding, order and retries."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langstream.errors import RecordError, ServiceError
from langstream.records import SimpleRecord
from langstream.runtime.replica import Limits
from langstream.sdk.contract import Batching, NotAttempted


def keyed(key: str | None, *values: str) -> list[SimpleRecord]:
    return [SimpleRecord(value, key) for value in values]


async def slowly(record: SimpleRecord) -> list[SimpleRecord]:
    await asyncio.sleep(float(record.value()))
    return [record]


@pytest.mark.parametrize("ordering", ["serial", "emission"])
async def test_a_slow_record_is_not_overtaken_by_its_key(kit: Any, ordering: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", *keyed("k", "0.05", "0.001", "0.02"))
    await kit.run(kit.node(kit.Waiting(slowly, Batching(ordering=ordering))))
    assert await kit.values("out", 3) == ["0.05", "0.001", "0.02"]


async def test_serial_keys_are_never_processed_two_at_a_time(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", *keyed("k", "1", "2", "3"), *keyed("l", "4", "5"))
    under_way: dict[Any, int] = {}

    async def process(record: SimpleRecord) -> list[SimpleRecord]:
        assert not under_way.get(record.key())
        under_way[record.key()] = 1
        await asyncio.sleep(0.002)
        under_way[record.key()] = 0
        return [record]

    await kit.run(kit.node(kit.Waiting(process, Batching(max_records=10, concurrency=8))))
    assert sorted(await kit.values("out", 5)) == ["1", "2", "3", "4", "5"]


async def test_sequence_hands_in_many_records_of_a_key_at_once(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", *keyed("k", "1", "2", "3"))
    agent = kit.Waiting(lambda record: [record], Batching(max_records=10, concurrency=4, ordering="sequence"))
    await kit.run(kit.node(agent))
    assert await kit.values("out", 3) == ["1", "2", "3"]
    assert [len(batch) for batch in agent.batches] == [3]


async def test_serial_batches_hold_one_record_of_a_key(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", *keyed("k", "1", "2"), *keyed("l", "3"))
    agent = kit.Waiting(lambda record: [record], Batching(max_records=10, concurrency=4))
    await kit.run(kit.node(agent))
    await kit.values("out", 3)
    assert [[record.value() for record in batch] for batch in agent.batches] == [["1", "3"], ["2"]]


async def test_an_incomplete_batch_leaves_after_its_time(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "1", "2", "3")
    agent = kit.Waiting(lambda record: [record], Batching(max_records=2, max_wait_seconds=0.05, ordering="emission"))
    await kit.run(kit.node(agent))
    await kit.values("out", 3)
    assert [len(batch) for batch in agent.batches] == [2, 1]


async def test_records_in_flight_are_bounded(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", *(str(number) for number in range(20)))
    gate = asyncio.Event()
    seen: list[str] = []

    async def process(record: SimpleRecord) -> list[SimpleRecord]:
        seen.append(record.value())
        await gate.wait()
        return [record]

    replica = await kit.run(kit.node(kit.Waiting(process)), Limits(in_flight=5))
    await kit.until(lambda: len(seen) == 5)
    await asyncio.sleep(0.05)
    assert len(seen) == 5
    assert replica.flow.in_flight == 5
    gate.set()
    assert await kit.values("out", 20) == [str(number) for number in range(20)]


async def test_later_records_of_a_key_wait_while_one_is_retried(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", *keyed("k", "1", "2", "3"), *keyed("other", "4"))
    calls: list[str] = []

    def process(record: SimpleRecord) -> list[SimpleRecord]:
        calls.append(record.value())
        if record.value() == "1" and calls.count("1") < 3:
            raise ConnectionError("later")
        return [record]

    await kit.run(kit.node(kit.Waiting(process), retries=5))
    await kit.values("out", 4)
    assert [call for call in calls if call != "4"] == ["1", "1", "1", "2", "3"]
    assert calls.index("4") == 1, "records of other keys go on"


async def test_retries_count_attempts(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "never", "fine")
    calls: list[str] = []

    def process(record: SimpleRecord) -> list[SimpleRecord]:
        calls.append(record.value())
        if record.value() == "never":
            raise RuntimeError("over and over")
        return [record]

    replica = await kit.run(kit.node(kit.Waiting(process), on_failure="skip", retries=3))
    assert await kit.values("out", 1) == ["fine"]
    await kit.stop(replica)
    assert calls.count("never") == 3
    assert replica.agents["node"].numbers.retries == 2
    assert replica.agents["node"].numbers.errors == 3


@pytest.mark.parametrize("retries", [0, 1])
async def test_no_retries_is_one_attempt(kit: Any, retries: int) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "never")
    agent = kit.Waiting(lambda record: RuntimeError("no"))
    replica = await kit.run(kit.node(agent, on_failure="skip", retries=retries))
    await kit.until(lambda: kit.committed())
    await kit.stop(replica)
    assert len(agent.batches) == 1


async def test_an_error_that_cannot_pass_is_not_tried_again(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a")
    agent = kit.Waiting(lambda record: ServiceError("bad key", category="authentication"))
    replica = await kit.run(kit.node(agent, on_failure="skip", retries=9))
    await kit.until(lambda: kit.committed())
    await kit.stop(replica)
    assert len(agent.batches) == 1


async def test_a_failure_of_the_call_never_blames_a_neighbour(kit: Any) -> None:
    await kit.topics("in", "out", "in-deadletter")
    await kit.send("in", "a", "bad", "b")

    class Whole(kit.Waiting):  # type: ignore[misc]
        async def process_batch(self, records: Any) -> Any:
            self.batches.append(records)
            if any(record.value() == "bad" for record in records):
                raise KeyboardInterrupt
            return [[record] for record in records]

    agent = Whole(None, Batching(max_records=10))
    await kit.run(kit.node(agent, on_failure="dead-letter"))
    assert await kit.values("out", 2) == ["a", "b"]
    assert await kit.values("in-deadletter", 1) == ["bad"]


async def test_records_not_attempted_come_again_in_order(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", *keyed("k", "1", "2", "3"))

    class OneByOne(kit.Waiting):  # type: ignore[misc]
        async def process_batch(self, records: Any) -> Any:
            self.batches.append([record.value() for record in records])
            return [[records[0]], *[NotAttempted() for _ in records[1:]]]

    agent = OneByOne(None, Batching(max_records=10, concurrency=1, ordering="sequence"))
    replica = await kit.run(kit.node(agent))
    assert await kit.values("out", 3) == ["1", "2", "3"]
    assert agent.batches == [["1", "2", "3"], ["2", "3"], ["3"]]
    assert replica.agents["node"].numbers.errors == 0


async def test_an_agent_that_attempts_nothing_fails(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a")
    error = await kit.failure(await kit.run(kit.node(kit.Waiting(lambda record: NotAttempted()))))
    assert "did not attempt the first record" in str(error)


async def test_results_of_one_record_stay_in_order_through_later_stages(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "x")

    def split(record: SimpleRecord) -> list[SimpleRecord]:
        return [SimpleRecord(delay, key) for key, delay in (("a", "0.03"), ("b", "0.02"), ("c", "0.001"))]

    await kit.run(kit.node(kit.Waiting(split), kit.Waiting(slowly), kit.Waiting(slowly)))
    assert await kit.values("out", 3) == ["0.03", "0.02", "0.001"]


async def test_a_source_record_is_dead_lettered_once_and_whole(kit: Any) -> None:
    await kit.topics("in", "out", "in-deadletter")
    await kit.send("in", SimpleRecord("pieces", "k", [("table", "4")]), "fine")

    def split(record: SimpleRecord) -> list[SimpleRecord]:
        return [record.with_value(f"{record.value()} {number}") for number in range(4)]

    def process(record: SimpleRecord) -> list[SimpleRecord]:
        if record.value() in ("pieces 1", "pieces 2"):
            raise RecordError("not these")
        return [record]

    replica = await kit.run(kit.node(kit.Straight(split), kit.Waiting(process), on_failure="dead-letter"))
    assert await kit.values("out", 4) == [f"fine {number}" for number in range(4)]
    letters = await kit.everything("in-deadletter")
    assert [(letter.value(), letter.key()) for letter in letters] == [("pieces", "k")]
    headers = dict(letters[0].headers())
    assert headers.pop("langstream-error-timestamp").isdigit()
    assert headers == {
        "table": "4",
        "langstream-error-agent": "node-1",
        "langstream-error-type": "RecordError",
        "langstream-error-message": "not these",
        "langstream-error-attempts": "1",
        "langstream-error-topic": "in",
        "langstream-error-partition": "0",
        "langstream-error-offset": "0",
    }
    await kit.stop(replica)
    assert await kit.committed() == 2


async def test_headers_of_an_earlier_failure_are_replaced(kit: Any) -> None:
    await kit.topics("in", "out", "in-deadletter")
    await kit.send("in", SimpleRecord("x", None, [("langstream-error-message", "old"), ("mine", "1")]))
    await kit.run(kit.node(kit.Waiting(lambda record: RecordError("new")), on_failure="dead-letter"))
    headers = (await kit.records("in-deadletter", 1))[0].headers()
    assert [value for name, value in headers if name == "langstream-error-message"] == ["new"]
    assert ("mine", "1") in headers


async def test_fail_commits_the_finished_prefix(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "0.001", "bad", "0.001")

    async def process(record: SimpleRecord) -> list[SimpleRecord]:
        if record.value() == "bad":
            await asyncio.sleep(0.05)
            raise ValueError("bad")
        return await slowly(record)

    error = await kit.failure(await kit.run(kit.node(kit.Waiting(process))))
    assert "ValueError: bad" in str(error)
    assert await kit.committed() == 1
    assert [record.value() for record in await kit.everything("out")] == ["0.001"]


async def test_a_clean_stop_finishes_what_is_in_flight(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "0.05", "0.01")
    agent = kit.Waiting(slowly)
    replica = await kit.run(kit.node(agent))
    await kit.until(lambda: len(agent.batches) == 2)
    await kit.stop(replica)
    assert [record.value() for record in await kit.everything("out")] == ["0.05", "0.01"]
    assert await kit.committed() == 2
    assert agent.closed == 1


async def test_what_misses_the_deadline_is_read_again(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "0.001", "60")
    replica = await kit.run(kit.node(kit.Waiting(slowly)))
    await kit.until(lambda: kit.committed())
    await kit.stop(replica, 0.05)
    assert await kit.committed() == 1
    await kit.run(kit.node(kit.Waiting(lambda record: [record])))
    assert await kit.values("out", 2) == ["0.001", "60"]


async def test_an_agent_may_change_its_batching_while_it_runs(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", *keyed("k", *(str(number) for number in range(10))))

    class Changing(kit.Waiting):  # type: ignore[misc]
        async def process_batch(self, records: Any) -> Any:
            self.batches.append(records)
            self.batching = Batching(max_records=1, concurrency=8)
            return [[records[0]], *[NotAttempted() for _ in records[1:]]]

    agent = Changing(None, Batching(max_records=4, concurrency=1, ordering="sequence"))
    await kit.run(kit.node(agent))
    assert await kit.values("out", 10) == [str(number) for number in range(10)]
    assert [len(batch) for batch in agent.batches] == [4] + [1] * 9
