"""Cancelled records: they leave the node without results, in order, and without being anybody's failure."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langstream.configuration.model import Configuration, TopicName
from langstream.errors import ServiceError
from langstream.planner.plan import Node
from langstream.records import SimpleRecord
from langstream.runtime.announcements import Announcements
from langstream.runtime.cancellation import Cancellation, Cancellations
from langstream.runtime.replica import Replica
from langstream.sdk.contract import Batching, Outcome, nobody_waits

TOPIC = "cancellations"


def asked(value: Any, session: str, key: Any = None, timestamp: int = 100) -> SimpleRecord:
    return SimpleRecord(value, key, (("session", session),), timestamp=timestamp)


def of(session: str, before: int = 100, answers: str = "out") -> Cancellation:
    return Cancellation(answers, frozenset({("session", session)}), before)


class Gate:
    """Calls of an agent, each under way until it is let go."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.ended: list[tuple[Any, bool]] = []
        """What was cancelled, and whether for good."""
        self.open: defaultdict[Any, asyncio.Event] = defaultdict(asyncio.Event)

    async def __call__(self, record: SimpleRecord) -> list[SimpleRecord]:
        value = record.value()
        self.begun.append(value)
        try:
            await self.open[value].wait()
        except asyncio.CancelledError as error:
            self.ended.append((value, nobody_waits(error)))
            raise
        return [record]


@dataclass
class Bench:
    """A node under test, and those who cancel."""

    kit: Any
    announcements: Announcements

    def agent(self, function: Any, *, interruptible: bool = True, **batching: Any) -> Any:
        agent = self.kit.Waiting(function, Batching(**batching))
        agent.interruptible = interruptible
        return agent

    async def run(self, *agents: Any, **options: Any) -> Replica:
        replica: Replica = await self.kit.run(listening(*agents, kit=self.kit, **options))
        return replica

    async def cancel(self, *cancellations: Cancellation) -> None:
        """Announce, and wait until it was heard."""
        await self.kit.send(TOPIC, *(each.record() for each in cancellations))
        await self.kit.until(lambda: all(self._known(each) for each in cancellations))

    def _known(self, cancellation: Cancellation) -> bool:
        record = SimpleRecord("x", headers=tuple(cancellation.headers), timestamp=cancellation.before)
        return self.announcements.known.cover(record, frozenset({cancellation.answers}))

    async def done(self, records: int) -> None:
        async def all_committed() -> bool:
            return bool(await self.kit.committed() == records)

        await self.kit.until(all_committed)


def listening(*agents: Any, kit: Any, answers: str = "out", **options: Any) -> Node:
    node: Node = kit.node(*agents, **options)
    return replace(node, answers=frozenset({answers}))


@pytest.fixture
async def bench(kit: Any) -> AsyncIterator[Bench]:
    await kit.topics("in", "out", "in-deadletter", TOPIC)
    announcements = Announcements(kit.cluster, TOPIC)
    announcements.start()
    kit.surroundings = replace(kit.surroundings, announcements=announcements)
    yield Bench(kit, announcements)
    await announcements.close()


def count(replica: Replica, agent: str = "node") -> int:
    return replica.agents[agent].numbers.cancelled


async def test_a_call_under_way_ends_and_its_record_is_committed_without_results(bench: Bench) -> None:
    gate = Gate()
    replica = await bench.run(bench.agent(gate), on_failure="dead-letter", retries=3)
    await bench.kit.send("in", asked("a", "1"), asked("b", "2"))
    await bench.kit.until(lambda: len(gate.begun) == 2)
    await bench.cancel(of("1"))
    gate.open["b"].set()
    await bench.done(2)
    assert gate.ended == [("a", True)]
    assert [record.value() for record in await bench.kit.everything("out")] == ["b"]
    assert await bench.kit.everything("in-deadletter") == []
    numbers = replica.agents["node"].numbers
    assert (numbers.cancelled, numbers.errors, numbers.retries) == (1, 0, 0)


async def test_a_record_that_is_read_after_its_cancellation_is_not_begun(bench: Bench) -> None:
    gate = Gate()
    gate.open["b"].set()
    await bench.cancel(of("1"))
    replica = await bench.run(bench.agent(gate))
    await bench.kit.send("in", asked("a", "1"), asked("b", "2"))
    await bench.done(2)
    assert gate.begun == ["b"]
    assert count(replica) == 1


async def test_a_record_that_waits_for_its_turn_is_not_begun(bench: Bench) -> None:
    gate = Gate()
    replica = await bench.run(bench.agent(gate, concurrency=1))
    await bench.kit.send("in", asked("a", "1"), asked("b", "2"), asked("c", "3"))
    await bench.kit.until(lambda: gate.begun and replica.flow is not None and replica.flow.in_flight == 3)
    await bench.cancel(of("2"))
    for value in "abc":
        gate.open[value].set()
    await bench.done(3)
    assert gate.begun == ["a", "c"]


@pytest.mark.parametrize(
    "cancellation", [of("2"), of("1", before=99), of("1", answers="elsewhere")], ids=["other", "earlier", "elsewhere"]
)
async def test_others_are_not_touched(bench: Bench, cancellation: Cancellation) -> None:
    gate = Gate()
    replica = await bench.run(bench.agent(gate))
    await bench.kit.send("in", asked("a", "1"), "without headers")
    await bench.kit.until(lambda: len(gate.begun) == 2)
    await bench.cancel(cancellation)
    gate.open["a"].set()
    gate.open["without headers"].set()
    assert await bench.kit.values("out", 2) == ["a", "without headers"]
    assert (gate.ended, count(replica)) == ([], 0)


async def test_nodes_that_work_for_no_cancelling_gateway_hear_nothing(bench: Bench) -> None:
    gate = Gate()
    replica = await bench.kit.run(bench.kit.node(bench.agent(gate)))
    assert replica.flow.cancelling is None
    await bench.kit.send("in", asked("a", "1"))
    await bench.kit.until(lambda: gate.begun)
    await bench.cancel(of("1"))
    gate.open["a"].set()
    assert await bench.kit.values("out", 1) == ["a"]


async def test_synchronous_nodes_do_not_even_look(bench: Bench) -> None:
    replica = await bench.run(bench.kit.Straight(lambda record: [record]))
    assert replica.flow is not None
    assert replica.flow.cancelling is None


async def test_the_next_record_of_the_key_begins_when_the_cancelled_one_has_left(bench: Bench) -> None:
    gate = Gate()
    await bench.run(bench.agent(gate))
    await bench.kit.send("in", asked("a", "1", "k"), asked("b", "2", "k"), asked("c", "3", "k"))
    await bench.kit.until(lambda: gate.begun == ["a"])
    await bench.cancel(of("1"), of("2"))
    await bench.kit.until(lambda: gate.begun == ["a", "c"])
    gate.open["c"].set()
    assert await bench.kit.values("out", 1) == ["c"]
    await bench.done(3)


async def test_results_of_equal_keys_leave_in_order_around_a_cancelled_one(bench: Bench) -> None:
    gate = Gate()
    await bench.run(bench.agent(gate, ordering="emission"))
    await bench.kit.send("in", *(asked(value, value, "k") for value in "abc"))
    await bench.kit.until(lambda: len(gate.begun) == 3)
    gate.open["c"].set()
    await bench.cancel(of("b"))
    gate.open["a"].set()
    assert await bench.kit.values("out", 2) == ["a", "c"]
    await bench.done(3)


async def test_a_record_does_not_wait_for_its_next_attempt(bench: Bench) -> None:
    def refuse(record: SimpleRecord) -> Any:
        raise ServiceError("come back tomorrow", category="rate-limited", retry_after_seconds=250)

    replica = await bench.run(bench.agent(refuse), retries=5)
    await bench.kit.send("in", asked("a", "1", "k"))
    await bench.kit.until(lambda: replica.agents["node"].numbers.retries == 1)
    await bench.cancel(of("1"))
    await bench.done(1)
    assert (replica.agents["node"].numbers.retries, count(replica)) == (1, 1)


async def test_calls_with_records_that_somebody_waits_for_go_on(bench: Bench) -> None:
    go_on = asyncio.Event()

    async def together(record: SimpleRecord) -> list[SimpleRecord]:
        await go_on.wait()
        return [record]

    agent = bench.agent(together, max_records=2, max_wait_seconds=30)
    await bench.run(agent)
    await bench.kit.send("in", asked("a", "1"), asked("b", "2"))
    await bench.kit.until(lambda: agent.batches)
    await bench.cancel(of("1"))
    go_on.set()
    assert await bench.kit.values("out", 1) == ["b"]
    await bench.done(2)


async def test_an_agent_that_cannot_be_interrupted_works_to_the_end_for_nothing(bench: Bench) -> None:
    gate = Gate()
    replica = await bench.run(bench.agent(gate, interruptible=False))
    await bench.kit.send("in", asked("a", "1", "k"), asked("b", "2", "k"))
    await bench.kit.until(lambda: gate.begun == ["a"])
    await bench.cancel(of("1"))
    await bench.kit.until(lambda: count(replica) == 1)
    assert gate.begun == ["a"]
    gate.open["a"].set()
    gate.open["b"].set()
    assert await bench.kit.values("out", 1) == ["b"]
    await bench.done(2)
    assert gate.ended == []


@pytest.mark.parametrize("outcome", [[SimpleRecord("result")], ValueError("broken by the interruption"), None])
async def test_what_an_interrupted_agent_answers_all_the_same_does_not_count(bench: Bench, outcome: Any) -> None:
    begun = []

    async def stubborn(records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        begun.append(records)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if outcome is None:
                raise RuntimeError("the whole call broke") from None
        return [outcome]

    agent = bench.agent(None)
    agent.process_batch = stubborn
    replica = await bench.run(agent)
    await bench.kit.send("in", asked("a", "1"))
    await bench.kit.until(lambda: begun)
    await bench.cancel(of("1"))
    await bench.done(1)
    assert await bench.kit.everything("out") == []
    assert (count(replica), replica.agents["node"].numbers.errors) == (1, 0)


async def test_a_call_that_has_not_begun_to_run_ends_as_well(bench: Bench) -> None:
    """Both calls were made at once; the first tells, before the second has had its turn."""
    begun = []

    async def telling(record: SimpleRecord) -> list[SimpleRecord]:
        begun.append(record.value())
        if record.value() == "a":
            news = Cancellations()
            news.add(of("2"))
            assert replica.flow is not None
            assert replica.flow.cancelling is not None
            replica.flow.cancelling.heard(news)
        return [record]

    replica = await bench.run(bench.agent(telling))
    await bench.kit.send("in", asked("a", "1"), asked("b", "2"))
    await bench.done(2)
    assert begun == ["a"]
    assert [record.value() for record in await bench.kit.everything("out")] == ["a"]


async def test_all_that_was_made_of_a_record_is_cancelled_with_it(bench: Bench) -> None:
    gate = Gate()
    split = bench.kit.Straight(lambda record: [record.with_value(f"{record.value()}{part}") for part in (1, 2, 3)])
    await bench.run(split, bench.agent(gate))
    await bench.kit.send("in", asked("a", "1"), asked("b", "2"))
    await bench.kit.until(lambda: len(gate.begun) == 6)
    for value in ("a1", "b1", "b2", "b3"):
        gate.open[value].set()
    await bench.cancel(of("1"))
    await bench.done(2)
    assert sorted(gate.ended) == [("a2", True), ("a3", True)]
    assert [record.value() for record in await bench.kit.everything("out")] == ["b1", "b2", "b3"]


# --- nodes in which a processor follows one that waits ---


async def test_a_record_of_a_chain_is_cancelled_in_whichever_stage_it_is(bench: Bench) -> None:
    first, second = Gate(), Gate()
    replica = await bench.run(bench.agent(first), bench.agent(second))
    await bench.kit.send("in", *(asked(value, value, "k" if value in "ac" else None) for value in "abc"))
    first.open["b"].set()
    await bench.kit.until(lambda: first.begun == ["a", "b"] and second.begun == ["b"])
    await bench.cancel(of("a"), of("b"))
    await bench.kit.until(lambda: first.begun == ["a", "b", "c"])
    first.open["c"].set()
    second.open["c"].set()
    assert await bench.kit.values("out", 1) == ["c"]
    await bench.done(3)
    assert (first.ended, second.ended) == ([("a", True)], [("b", True)])
    assert (count(replica), count(replica, "node-1")) == (1, 1)


async def test_a_record_that_waits_at_the_entrance_of_a_chain_never_enters(bench: Bench) -> None:
    first, second = Gate(), Gate()
    replica = await bench.run(bench.agent(first), bench.agent(second))
    await bench.kit.send("in", *(asked(value, value, "k") for value in "abc"))
    await bench.kit.until(lambda: replica.flow is not None and replica.flow.in_flight == 3 and first.begun)
    await bench.cancel(of("b"))
    await bench.kit.until(lambda: count(replica) == 1)
    for value in "abc":
        first.open[value].set()
        second.open[value].set()
    assert await bench.kit.values("out", 2) == ["a", "c"]
    await bench.done(3)
    assert first.begun == ["a", "c"]


async def test_a_record_of_a_chain_does_not_wait_for_its_next_attempt(bench: Bench) -> None:
    def refuse(record: SimpleRecord) -> Any:
        raise ServiceError("come back tomorrow", category="rate-limited", retry_after_seconds=250)

    replica = await bench.run(bench.agent(lambda record: [record]), bench.agent(refuse), retries=5)
    await bench.kit.send("in", asked("a", "1", "k"))
    await bench.kit.until(lambda: replica.flow is not None and replica.flow.retrying)
    await bench.cancel(of("1"))
    await bench.done(1)
    assert replica.agents["node-1"].numbers.retries == 1


# --- answers that were streamed ---


class Streaming(Configuration):
    """An agent that names a topic of answers."""

    stream_to_topic: TopicName = "answers"


def streaming(*agents: Any, kit: Any, which: int) -> Node:
    """The node of these agents; one of them streams the answers."""
    node = listening(*agents, kit=kit, answers="answers", output="out")
    members = [
        replace(member, configuration=Streaming()) if index == which else member
        for index, member in enumerate(node.agents)
    ]
    return replace(node, agents=tuple(members))


@pytest.mark.parametrize("told", [True, False])
async def test_a_record_whose_answer_is_told_is_not_cancelled_while_its_agent_finishes(
    bench: Bench, told: bool
) -> None:
    gate = Gate()
    agent = bench.agent(gate)
    agent.is_told = lambda record: told and record.value() == "a"
    await bench.kit.run(streaming(agent, kit=bench.kit, which=0))
    await bench.kit.send("in", asked("a", "1"), asked("b", "2"))
    await bench.kit.until(lambda: len(gate.begun) == 2)
    await bench.cancel(of("1", answers="answers"), of("2", answers="answers"))
    gate.open["a"].set()
    await bench.done(2)
    assert [record.value() for record in await bench.kit.everything("out")] == (["a"] if told else [])
    assert gate.ended == ([("b", True)] if told else [("a", True), ("b", True)])


@pytest.mark.parametrize("which", [0, 1])
async def test_what_comes_after_the_streamed_answer_is_not_the_clients_to_cancel(bench: Bench, which: int) -> None:
    first, history = Gate(), Gate()
    first.open["a"].set()
    agents = bench.agent(first), bench.agent(history)
    await bench.kit.run(streaming(*agents, kit=bench.kit, which=which))
    await bench.kit.send("in", asked("a", "1"))
    await bench.kit.until(lambda: history.begun)
    await bench.cancel(of("1", answers="answers"))
    history.open["a"].set()
    await bench.done(1)
    assert [record.value() for record in await bench.kit.everything("out")] == ([] if which else ["a"])


async def test_a_streamed_answer_that_waits_for_its_turn_to_leave_is_done(bench: Bench) -> None:
    gate = Gate()
    replica = await bench.kit.run(streaming(bench.agent(gate, ordering="emission"), kit=bench.kit, which=0))
    await bench.kit.send("in", asked("a", "1", "k"), asked("b", "2", "k"))
    await bench.kit.until(lambda: len(gate.begun) == 2)
    gate.open["b"].set()
    await bench.kit.until(lambda: replica.agents["node"].numbers.records_out == 1)
    await bench.cancel(of("2", answers="answers"))
    gate.open["a"].set()
    assert await bench.kit.values("out", 2) == ["a", "b"]


# --- ends ---


async def test_what_is_in_the_sink_is_finished(bench: Bench) -> None:
    stored, go_on = [], asyncio.Event()

    async def write(records: Sequence[SimpleRecord]) -> Sequence[Exception | None]:
        stored.append(records[0].value())
        await go_on.wait()
        return [None] * len(records)

    sink = bench.kit.ListSink()
    sink.write_batch = write
    replica = await bench.run(bench.agent(lambda record: [record]), sink, output=None)
    await bench.kit.send("in", asked("a", "1"))
    await bench.kit.until(lambda: stored)
    await bench.cancel(of("1"))
    go_on.set()
    await bench.done(1)
    assert count(replica) == 0


async def test_a_node_that_stops_does_not_take_its_records_for_cancelled(bench: Bench) -> None:
    gate = Gate()
    replica = await bench.run(bench.agent(gate))
    await bench.kit.send("in", asked("a", "1"))
    await bench.kit.until(lambda: gate.begun)
    await bench.kit.stop(replica, 0.0)
    assert gate.ended == [("a", False)]
    assert await bench.kit.committed() == 0
    gate.open["a"].set()
    await bench.run(bench.agent(gate))
    assert await bench.kit.values("out", 1) == ["a"]
    assert len(bench.announcements._listeners) == 1


async def test_slots_are_free_again(bench: Bench) -> None:
    gate = Gate()
    await bench.run(bench.agent(gate, concurrency=2))
    await bench.kit.send("in", *(asked(value, value) for value in "abcd"))
    for value in "abc":
        await bench.kit.until(lambda value=value: value in gate.begun)
        await bench.cancel(of(value))
    gate.open["d"].set()
    assert await bench.kit.values("out", 1) == ["d"]
    await bench.done(4)


RECORDS = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(["1", "2", "3"])), min_size=1, max_size=30)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RECORDS, st.sets(st.sampled_from(["1", "2", "3"])), st.sampled_from(["serial", "emission", "sequence"]))
def test_whoever_is_cancelled_the_others_are_whole_and_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    make_kit: Callable[[Path], Any],
    records: list[tuple[str, str]],
    cancelled: set[str],
    ordering: str,
) -> None:
    async def check() -> None:
        kit = await make_kit(tmp_path_factory.mktemp("law"))
        await kit.topics("in", "out", "in-deadletter", TOPIC)
        announcements = Announcements(kit.cluster, TOPIC)
        kit.surroundings = replace(kit.surroundings, announcements=announcements)
        bench = Bench(kit, announcements)

        async def process(record: SimpleRecord) -> list[SimpleRecord]:
            await asyncio.sleep(0.001)
            return [record]

        agents = bench.agent(process, ordering=ordering), bench.agent(process, concurrency=2)
        sent = [asked(f"{number}", session, key) for number, (key, session) in enumerate(records)]
        await kit.send("in", *sent[: len(sent) // 2])
        announcements.start()
        await bench.run(*agents)
        await kit.send("in", *sent[len(sent) // 2 :])
        if cancelled:
            await bench.cancel(*(of(session) for session in cancelled))
        await bench.done(len(sent))
        out = await kit.everything("out")
        assert {record.value() for record in out} >= {r.value() for r in sent if r.headers()[0][1] not in cancelled}
        for key in "xyz":
            order = [int(record.value()) for record in out if record.key() == key]
            assert order == sorted(set(order))
        await announcements.close()
        await kit.close()

    asyncio.run(check())
