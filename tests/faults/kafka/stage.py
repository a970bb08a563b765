"""Everything of one run: brokers, processes with the application, load and ledgers."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka.admin import AdminClient, NewTopic

from langstream.planner.check import load_and_plan
from tests.faults.kafka.commits import Commits
from tests.faults.kafka.ledger import IN_FLIGHT_SECONDS, Ledger, Watcher, everything
from tests.faults.kafka.load import Load
from tests.faults.kafka.pipelines import INPUT, PARTITIONS, PIPELINES, write_applications
from tests.servers.kafka import Kafka

ROOT = Path(__file__).resolve().parents[3]
PROCESSES = 2
GIVE_UP_SECONDS = 120.0


class Trouble(Exception):
    """Something took too long, or ended by itself: the run is over."""


class Recovery(NamedTuple):
    """Seconds from the harm until everything of a bare producer was acknowledged again, and until it came out."""

    brokers: float
    pipelines: float


class Runtime:
    """A process with the application."""

    def __init__(self, directory: Path, number: int) -> None:
        self._directory = directory
        self._number = number
        self._process: subprocess.Popen[bytes] | None = None
        self.replicas = 1

    @property
    def log(self) -> Path:
        """What it tells."""
        return self._directory / f"runtime-{self._number}.log"

    def start(self) -> None:
        """Start it, again if it was killed."""
        command = [sys.executable, "-m", "tests.faults.kafka.application", str(self._directory)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT)
        self.scale(1)

    def scale(self, replicas: int) -> None:
        """Have it run so many of every pipeline."""
        assert self._process is not None
        assert self._process.stdin is not None
        self.replicas = replicas
        self._process.stdin.write(f"{replicas}\n".encode())
        self._process.stdin.flush()

    def tell_where(self) -> None:
        """Have it write into its log what every task and thread is at."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGUSR1)

    def kill(self) -> None:
        """SIGKILL. Raises Trouble if it was not alive any more."""
        process = self._process
        if process is None:
            return
        self._process = None
        if process.poll() is not None:
            raise Trouble(f"the runtime ended by itself: {self.log.read_text()[-3000:]}")
        process.send_signal(signal.SIGKILL)
        process.communicate()


def _group(directory: Path, name: str) -> str:
    """The consumer group of a pipeline."""
    (node,) = load_and_plan(directory / name / "application", name, instance=directory / name / "instance.yaml").nodes
    return node.group


class Stage:
    """See the module."""

    def __init__(self, directory: Path, server: Kafka, rate: int, session_seconds: float, seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)
        self.session_seconds = session_seconds
        self.load = Load(server.bootstrap, rate)
        self.ledgers = [Ledger(pipeline, self.load.places) for pipeline in PIPELINES]
        self.runtimes = [Runtime(directory, number) for number in range(PROCESSES)]
        self.recoveries: list[Recovery] = []
        self.written: dict[int, tuple[int, int]] = {}
        """The records in the input, at the end, and where each stands."""
        self.copies: dict[int, int] = {}
        """Those that stand there several times: the load's client takes a new epoch when brokers are lost, and repeats
        what it does not know to be written."""
        self._directory = directory
        self._admin = AdminClient({"bootstrap.servers": server.bootstrap, "log_level": 0})
        self._watcher = Watcher(server.bootstrap, directory, self.ledgers)
        self._commits = Commits(server.bootstrap)

    def start(self) -> None:
        """Create topics, start everything and wait until records come out."""
        replicas = min(3, len(self.server.brokers))
        self._eventually(lambda: len(self._admin.list_topics(timeout=5).brokers) == len(self.server.brokers))
        names = [INPUT, *(pipeline.name for pipeline in PIPELINES if pipeline.topic)]
        created = self._admin.create_topics([NewTopic(name, PARTITIONS, replicas) for name in names])
        for answer in created.values():
            answer.result(30)
        write_applications(self._directory, self.server.bootstrap, self.session_seconds)
        self.mood(0, 0)
        for runtime in self.runtimes:
            runtime.start()
        self._watcher.start()
        self._commits.start({pipeline.name: _group(self._directory, pipeline.name) for pipeline in PIPELINES})
        self.load.start()
        self.recovered(since=time.monotonic(), count=False)

    def mood(self, seconds: float, failing: float) -> None:
        """How slow the sink is, and how often it fails."""
        (self._directory / "mood.new").write_text(json.dumps([seconds, failing]))
        (self._directory / "mood.new").replace(self._directory / "mood")

    def harm(self) -> float:
        """Now something happens; the time."""
        now = time.monotonic()
        before = self._commits.before(now - IN_FLIGHT_SECONDS)
        for ledger in self.ledgers:
            ledger.fault_at, ledger.committed = now, before.get(ledger.pipeline.name, {})
        return now

    def recovered(self, since: float, count: bool = True) -> None:
        """Wait until records of every key that were sent from now on came out of every pipeline."""
        after = self.load.sent
        self._eventually(lambda: self.load.beyond(after), lambda: "the brokers do not recover: " + self.standing())
        brokers = time.monotonic() - since
        self._eventually(
            lambda: all(ledger.beyond(after) for ledger in self.ledgers),
            lambda: "no recovery: " + self.standing(),
        )
        if count:
            self.recoveries.append(Recovery(brokers, time.monotonic() - since))

    def leader(self, topic: str) -> int:
        """The broker that leads the first partition of a topic, such as the coordinator of groups."""
        metadata = self._admin.list_topics(topic, timeout=30)
        return int(metadata.topics[topic].partitions[0].leader) - 1

    def in_sync(self) -> bool:
        """Every partition has all its replicas again: another broker may be harmed."""
        try:
            topics = self._admin.list_topics(timeout=5).topics.values()
        except Exception:
            return False
        return all(len(part.isrs) == len(part.replicas) for topic in topics for part in topic.partitions.values())

    def settle(self) -> None:
        """Wait until another broker may be harmed."""
        self._eventually(self.in_sync)

    def finish(self) -> None:
        """Stop the load, and wait until everything came out."""
        self.load.stop()
        if not self.load.flushed(GIVE_UP_SECONDS):
            raise Trouble("the load was not acknowledged: are the brokers well?")
        self.written, copies = everything(self.server.bootstrap, INPUT)
        self.copies = {n: count for n, count in copies.items() if count > 1}
        with suppress(Trouble):  # it is told as lost
            self._eventually(lambda: all(ledger.complete(len(self.written)) for ledger in self.ledgers))
        time.sleep(2)  # what comes twice comes now
        for ledger in self.ledgers:
            ledger.allow(self.copies)

    def close(self) -> None:
        """End the processes."""
        try:
            for runtime in self.runtimes:
                runtime.kill()
        finally:
            self._commits.stop()
            self._watcher.stop()

    def standing(self) -> str:
        """For messages."""
        reread = f"{self._watcher.reread} read twice; " if self._watcher.reread else ""
        return (
            reread
            + f"{self.load.sent} sent, {self.load.acknowledged} acknowledged; "
            + ", ".join(
                f"{ledger.pipeline.name} {ledger.seen}" + (f" ({ledger.doubled} repeated)" if ledger.doubled else "")
                for ledger in self.ledgers
            )
        )

    def groups(self) -> list[str]:
        """What the brokers say of each pipeline's group, for messages."""
        names = {_group(self._directory, pipeline.name): pipeline.name for pipeline in PIPELINES}
        told = []
        for group, answer in self._admin.describe_consumer_groups(list(names), request_timeout=10).items():
            try:
                found = answer.result(15)
            except Exception as error:
                told.append(f"{names[group]}: {error}")
                continue
            shares = [len(member.assignment.topic_partitions) for member in found.members if member.assignment]
            told.append(f"{names[group]}: {found.state.name} at broker {found.coordinator.id}, partitions {shares}")
        return told

    def _eventually(self, condition: Callable[[], Any], told: Callable[[], str] | None = None) -> None:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise Trouble(told() if told else "it did not happen in time: " + self.standing())
            time.sleep(0.02)
