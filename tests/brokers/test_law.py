"""Any sequence of sends, polls, commits, transactions, restarts and clean-ups leaves what a simple model says."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from langstream.records import SimpleRecord, partition_of
from langstream.registry import TOPICS, Registry
from langstream.topics.contract import Fetched, TopicCluster, TopicConsumer, TopicPartition, TopicSpec

PARTITIONS = 2
KEYS = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.none() | st.text(max_size=5) | st.binary(max_size=5)
BATCHES = st.lists(st.tuples(KEYS, VALUES), max_size=8)


class LogMachine(RuleBasedStateMachine):
    """The model: per partition a list of (key, value), and how far the group came."""

    kind: ClassVar[str]
    durable: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._directory = tempfile.TemporaryDirectory()
        self._sent: list[list[tuple[str, Any]]] = [[] for _ in range(PARTITIONS)]
        self._results: list[Any] = []
        self._committed = [0] * PARTITIONS
        self._polled = [0] * PARTITIONS
        self._pending: list[Fetched] = []
        self._cluster: TopicCluster
        self._consumer: TopicConsumer

    def _run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return self._runner.run(work())

    @initialize()
    def start(self) -> None:
        async def work() -> None:
            await self._open()
            await self._cluster.admin.create(TopicSpec("in", PARTITIONS))
            await self._cluster.admin.create(TopicSpec("out"))
            await self._join()

        self._run(work)

    async def _open(self) -> None:
        configuration = {"sync": "normal"} if self.kind == "embedded" else {}
        self._cluster = Registry(TOPICS).load(self.kind)(configuration, Path(self._directory.name))
        await self._cluster.start()

    async def _join(self) -> None:
        self._consumer = self._cluster.consumer("in", "group")
        await self._consumer.start()
        self._polled = list(self._committed)
        self._pending = []

    @rule(batch=BATCHES)
    def send(self, batch: list[tuple[str, Any]]) -> None:
        """Send to the input."""
        self._run(lambda: self._cluster.producer().send("in", [SimpleRecord(value, key) for key, value in batch]))
        for key, value in batch:
            self._sent[partition_of(key, PARTITIONS)].append((key, value))

    @rule(batches=st.lists(BATCHES, min_size=2, max_size=4))
    def send_at_once(self, batches: list[list[tuple[str, Any]]]) -> None:
        """Several sends under way together."""

        async def work() -> None:
            producer = self._cluster.producer()
            await asyncio.gather(
                *(producer.send("in", [SimpleRecord(value, key) for key, value in batch]) for batch in batches)
            )

        self._run(work)
        for batch in batches:
            for key, value in batch:
                self._sent[partition_of(key, PARTITIONS)].append((key, value))

    @rule(max_records=st.integers(1, 10))
    def poll(self, max_records: int) -> None:
        """What is polled is what comes next."""
        runs: list[Fetched] = self._run(lambda: self._consumer.poll(max_records, 0))
        assert sum(len(run.records) for run in runs) <= max_records
        for run in runs:
            start = self._polled[run.partition]
            assert list(run.offsets) == list(range(start, start + len(run.records)))
            expected = self._sent[run.partition][start : start + len(run.records)]
            assert [(record.key(), record.value()) for record in run.records] == expected
            self._polled[run.partition] = run.next_offset
        if not runs:
            assert self._polled == [len(records) for records in self._sent]
        self._pending += runs

    @precondition(lambda self: self._pending)
    @rule()
    def commit(self) -> None:
        """Commit what was polled."""
        self._run(lambda: self._consumer.commit(self._ends()))
        self._settle()

    @precondition(lambda self: self._pending)
    @rule()
    def transact(self) -> None:
        """Copy what was polled to the output, and commit."""
        copies = [SimpleRecord(record.value(), record.key()) for run in self._pending for record in run.records]
        self._run(lambda: self._cluster.producer().transact([("out", copies)], self._consumer, self._ends()))
        self._results += [(record.key(), record.value()) for record in copies]
        self._settle()

    def _ends(self) -> dict[TopicPartition, int]:
        return {TopicPartition("in", run.partition): run.next_offset for run in self._pending}

    def _settle(self) -> None:
        for run in self._pending:
            self._committed[run.partition] = run.next_offset
        self._pending = []

    @rule()
    def rejoin(self) -> None:
        """Leave the group and come back."""

        async def work() -> None:
            await self._consumer.close()
            await self._join()

        self._run(work)

    @rule()
    def restart(self) -> None:
        """Close everything and open it again."""
        if not self.durable:
            return

        async def work() -> None:
            await self._cluster.close()
            await self._open()
            await self._join()

        self._run(work)

    @rule()
    def maintain(self) -> None:
        """Without rules for clean-up, nothing is removed."""
        self._run(lambda: self._cluster.maintain())  # type: ignore[attr-defined]

    @invariant()
    def everything_is_there(self) -> None:
        """A reader sees what was sent, in order."""
        if not hasattr(self, "_consumer"):
            return
        found: list[list[tuple[str, Any]]] = [[] for _ in range(PARTITIONS)]
        for run in self._run(lambda: self._everything("in")):
            found[run.partition] += [(record.key(), record.value()) for record in run.records]
        assert found == self._sent
        results = [record for run in self._run(lambda: self._everything("out")) for record in run.records]
        assert [(record.key(), record.value()) for record in results] == self._results

    async def _everything(self, topic: str) -> list[Fetched]:
        reader = self._cluster.reader(topic, "earliest")
        await reader.start()
        runs: list[Fetched] = []
        while fetched := await reader.read(100, 0):
            runs += fetched
        await reader.close()
        return runs

    @invariant()
    def lag_is_what_is_left(self) -> None:
        """The broker knows how far the group came."""
        if not hasattr(self, "_consumer"):
            return
        lag = self._run(lambda: self._consumer.lag())
        assert lag == {
            TopicPartition("in", number): len(self._sent[number]) - self._committed[number]
            for number in range(PARTITIONS)
        }

    def teardown(self) -> None:
        """Close."""
        if hasattr(self, "_cluster"):
            self._run(lambda: self._cluster.close())
        self._runner.close()
        self._directory.cleanup()


class MemoryMachine(LogMachine):
    """In memory."""

    kind = "memory"
    durable = False


class EmbeddedMachine(LogMachine):
    """In a file."""

    kind = "embedded"
    durable = True


TestMemoryLaw = MemoryMachine.TestCase
TestMemoryLaw.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestEmbeddedLaw = EmbeddedMachine.TestCase
TestEmbeddedLaw.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
