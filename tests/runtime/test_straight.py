"""Nodes of synchronous processors between two topics."""

from __future__ import annotations

from typing import Any

from langstream.records import Dispatched, Document, SimpleRecord
from langstream.runtime.replica import Limits


def upper(record: SimpleRecord) -> list[SimpleRecord]:
    return [record.with_value(record.value().upper())]


def twice(record: SimpleRecord) -> list[SimpleRecord]:
    return [record.with_value(record.value() + mark) for mark in "xy"]


def fail_on(*words: str) -> Any:
    def function(record: SimpleRecord) -> list[SimpleRecord]:
        if record.value() in words:
            raise ValueError(f"cannot digest {record.value()}")
        return [record]

    return function


async def test_records_pass_through_all_stages_in_order(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "b", "c")
    await kit.run(kit.node(kit.Straight(upper), kit.Straight(twice)))
    assert await kit.values("out", 6) == ["Ax", "Ay", "Bx", "By", "Cx", "Cy"]
    await kit.until(lambda: kit.committed())
    assert await kit.committed() == 3


async def test_a_node_without_processors_copies(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "b")
    await kit.run(kit.node(kit.Straight(lambda record: [record])))
    assert await kit.values("out", 2) == ["a", "b"]


async def test_more_records_than_fit_in_flight_all_arrive(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", *(str(number) for number in range(1_000)))
    await kit.run(kit.node(kit.Straight(upper)), Limits(in_flight=7, straight_in_flight=7, poll=3))
    assert await kit.values("out", 1_000) == [str(number) for number in range(1_000)]


async def test_dropped_records_are_committed(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "b")
    replica = await kit.run(kit.node(kit.Straight(lambda record: [])))
    await kit.until(lambda: kit.committed())
    await kit.stop(replica)
    assert await kit.committed() == 2
    assert await kit.everything("out") == []


async def test_results_without_an_output_are_discarded_and_committed(kit: Any) -> None:
    await kit.topics("in")
    await kit.send("in", "a", "b")
    replica = await kit.run(kit.node(kit.Straight(upper), output=None))
    await kit.until(lambda: kit.committed())
    await kit.stop(replica)
    assert await kit.committed() == 2


async def test_skip_leaves_out_the_failing_record_only(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "bad", "b")
    replica = await kit.run(kit.node(kit.Straight(fail_on("bad")), on_failure="skip"))
    assert await kit.values("out", 2) == ["a", "b"]
    await kit.stop(replica)
    assert await kit.committed() == 3


async def test_a_failure_in_a_later_stage_repeats_no_earlier_work(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "bad", "b")
    first = kit.Straight(lambda record: [record])
    replica = await kit.run(kit.node(first, kit.Straight(fail_on("bad")), on_failure="skip", retries=3))
    assert await kit.values("out", 2) == ["a", "b"]
    await kit.stop(replica)
    assert [record.value() for record in first.seen] == ["a", "bad", "b"]


async def test_fail_commits_what_came_before_and_nothing_after(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "bad", "b")
    error = await kit.failure(await kit.run(kit.node(kit.Straight(fail_on("bad")))))
    assert "agent node: a record on in/0 at offset 1 failed" in str(error)
    assert "ValueError: cannot digest bad" in str(error)
    assert [record.value() for record in await kit.everything("out")] == ["a"]
    assert await kit.committed() == 1


async def test_dispatched_records_pass_by_later_stages(kit: Any) -> None:
    await kit.topics("in", "out", "side")
    await kit.send("in", "a", "b")

    def route(record: SimpleRecord) -> list[SimpleRecord]:
        return [Dispatched.to("side", record)] if record.value() == "a" else [record]

    await kit.run(kit.node(kit.Straight(route), kit.Straight(upper)))
    assert await kit.values("side", 1) == ["a"]
    assert await kit.values("out", 1) == ["B"]


def to(topic: str) -> Any:
    def function(record: SimpleRecord) -> list[SimpleRecord]:
        if record.value() == "away":
            record = record.with_value("away")
            record.destination = topic
        return [record]

    return function


async def test_a_destination_takes_the_place_of_the_output(kit: Any) -> None:
    await kit.topics("in", "out", "side")
    await kit.send("in", "away", "b")
    await kit.run(kit.node(kit.Straight(to("side")), kit.Straight(upper)))
    assert await kit.values("side", 1) == ["AWAY"]
    assert await kit.values("out", 1) == ["B"]


async def test_an_unknown_destination_is_the_failure_of_the_record(kit: Any) -> None:
    await kit.topics("in", "out", "in-deadletter")
    await kit.send("in", "away", "b")
    await kit.run(kit.node(kit.Straight(to("nowhere")), on_failure="dead-letter"))
    letter = (await kit.records("in-deadletter", 1))[0]
    assert letter.value() == "away"
    assert dict(letter.headers())["langstream-error-type"] == "TopicNotFound"
    assert await kit.values("out", 1) == ["b"]


async def test_a_value_no_topic_can_take_is_the_failure_of_its_record(kit: Any) -> None:
    await kit.topics("in", "out", "in-deadletter")
    await kit.send("in", "a", "odd", "b")

    def odd(record: SimpleRecord) -> list[SimpleRecord]:
        return [record.with_value(object() if record.value() == "odd" else record.value())]

    replica = await kit.run(kit.node(kit.Straight(odd), on_failure="dead-letter"))
    assert await kit.values("out", 2) == ["a", "b"]
    assert await kit.values("in-deadletter", 1) == ["odd"]
    await kit.stop(replica)
    assert await kit.committed() == 3


async def test_a_batch_that_raises_is_retried_record_by_record(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "bad", "b")
    batches: list[int] = []

    def process(records: Any) -> Any:
        batches.append(len(records))
        if any(record.value() == "bad" for record in records):
            raise SystemExit("no more")
        return [[record] for record in records]

    await kit.run(kit.node(kit.Raw(process), on_failure="skip"))
    assert await kit.values("out", 2) == ["a", "b"]
    assert batches == [3, 1, 1, 1]


async def test_garbage_is_the_failure_of_its_record(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "b", "c")

    def process(records: Any) -> Any:
        return [["text"] if record.value() == "b" else [record] for record in records]

    replica = await kit.run(kit.node(kit.Raw(process), on_failure="skip"))
    assert await kit.values("out", 2) == ["a", "c"]
    await kit.stop(replica)


async def test_too_few_outcomes_are_a_failure(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "b")
    replica = await kit.run(kit.node(kit.Raw(lambda records: []), on_failure="skip"))
    await kit.until(lambda: kit.committed())
    assert await kit.committed() == 2
    await kit.stop(replica)
    assert replica.agents["node"].numbers.errors == 2


async def test_long_runs_with_failures_keep_their_order(kit: Any) -> None:
    await kit.topics("in", "out")
    numbers = [str(number) for number in range(950)]
    bad = {"0", "99", "100", "333", "949"}
    await kit.send("in", *numbers)
    replica = await kit.run(kit.node(kit.Straight(fail_on(*bad)), on_failure="skip"))
    assert await kit.values("out", 945) == [number for number in numbers if number not in bad]
    await kit.stop(replica)
    assert await kit.committed() == 950


async def test_parsed_documents_arrive_as_text(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", '{"n": 1}')

    def parse(record: SimpleRecord) -> list[SimpleRecord]:
        document = record.parsed_value()
        return [record, record.with_value(Document({**document.content, "m": 2}))]

    await kit.run(kit.node(kit.Straight(parse)))
    assert await kit.values("out", 2) == ['{"n": 1}', '{"n":1,"m":2}']


async def test_a_document_that_cannot_be_written_is_the_failure_of_its_record(kit: Any) -> None:
    await kit.topics("in", "out")
    await kit.send("in", "a", "odd")

    def odd(record: SimpleRecord) -> list[SimpleRecord]:
        return [record.with_value(Document({"x": object()}))] if record.value() == "odd" else [record]

    replica = await kit.run(kit.node(kit.Straight(odd), on_failure="skip"))
    await kit.until(lambda: kit.committed())
    await kit.stop(replica)
    assert await kit.committed() == 2
    assert [record.value() for record in await kit.everything("out")] == ["a"]
