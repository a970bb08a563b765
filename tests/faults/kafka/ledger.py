"""What came out: every record once, in the order of its key, and when."""

from __future__ import annotations

import json
import threading
import time
from array import array
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from confluent_kafka import Consumer, Message, TopicPartition

from tests.faults.kafka.load import KEYS
from tests.faults.kafka.pipelines import PARTITIONS, Pipeline

IN_FLIGHT_SECONDS = 5.0
"""What was committed longer than this before a fault, and comes again after it, was repeated for no reason."""


class Ledger:
    """Counts for one pipeline. `places` tells where each record stands in the input (offset -1: not known).

    `fault_at` and `committed` (by partition, some time before) are set by whoever does harm: repeats of what was
    committed then are stale.
    """

    def __init__(self, pipeline: Pipeline, places: Mapping[int, tuple[int, int]]) -> None:
        self.pipeline = pipeline
        self.fault_at = time.monotonic()
        self.committed: Mapping[int, int] = {}
        self._places = places
        self.doubled = self.stale = self.disordered = self.seen = 0
        self.uncommitted = 0
        """Repeats of what was finished so long before a fault, but not committed yet: brokers may take no commits."""
        self.notes: list[str] = []
        self._again: Counter[int] = Counter()
        self._stale: Counter[int] = Counter()
        self._first = array("d")
        self._newest = [-1] * KEYS

    def add(self, n: int) -> None:
        """A record came out."""
        now = time.monotonic()
        if n >= len(self._first):
            self._first.extend([0.0] * (n + 1 - len(self._first)))
        if self._first[n]:
            self.doubled += 1
            self._again[n] += 1
            partition, offset = self._places.get(n, (-1, -1))
            stale = -1 < offset < self.committed.get(partition, 0)
            self.stale += stale
            self._stale[n] += stale
            self.uncommitted += not stale and self._first[n] < self.fault_at - IN_FLIGHT_SECONDS
            if len(self.notes) < 20 and (stale or self.pipeline.exact):
                ago, fault = now - self._first[n], now - self.fault_at
                self.notes.append(f"{n} again after {ago:.2f} s, {fault:.2f} s after the fault")
            return
        self._first[n] = now
        self.seen += 1
        key = n % KEYS
        if n < self._newest[key]:
            self.disordered += 1
            if len(self.notes) < 20:
                self.notes.append(f"{n} behind {self._newest[key]}")
        self._newest[key] = max(self._newest[key], n)

    def allow(self, copies: Mapping[int, int]) -> None:
        """At the end: take back what was counted for records that stand in the input several times, so often each."""
        for n, count in copies.items():
            allowed = min(self._again[n], count - 1)
            self.doubled -= allowed
            self.stale -= min(self._stale[n], allowed)

    def lost(self, written: Collection[int]) -> list[int]:
        """Which of those that are in the input never came."""
        return [n for n in sorted(written) if n >= len(self._first) or not self._first[n]]

    def complete(self, count: int) -> bool:
        """Whether so many came."""
        return self.seen >= count

    def beyond(self, n: int) -> bool:
        """Whether of every key a record came that was sent after this one."""
        return min(self._newest) >= n


def everything(bootstrap: str, topic: str) -> tuple[dict[int, tuple[int, int]], Counter[int]]:
    """The numbers of all records of a topic, read afresh, where each stands (partition and offset), and how often."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False, "log_level": 0,
        "auto.offset.reset": "earliest", "enable.partition.eof": True,
    })  # fmt: skip
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    found: dict[int, tuple[int, int]] = {}
    copies: Counter[int] = Counter()
    ended: set[int | None] = set()
    while len(ended) < PARTITIONS:
        for message in consumer.consume(1000, 1.0):
            value = message.value()
            if message.error() is not None:
                ended.add(message.partition())
            elif value is not None:
                n = json.loads(value)["n"]
                found[n] = message.partition() or 0, message.offset() or 0
                copies[n] += 1
    consumer.close()
    return found, copies


class Watcher:
    """Reads everything that comes out into ledgers, in a thread."""

    def __init__(self, bootstrap: str, directory: Path, ledgers: list[Ledger]) -> None:
        self.reread = 0
        """Records that were delivered to this watcher twice, by no fault of those who wrote them."""
        self._beyond: dict[tuple[str, int], int] = {}
        self._by_topic = {ledger.pipeline.name: ledger for ledger in ledgers if ledger.pipeline.topic}
        self._journals = [ledger for ledger in ledgers if not ledger.pipeline.topic]
        self._journal = directory / "journal"
        self._rest = b""
        self._read_to = 0
        self._stopping = threading.Event()
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": "watcher", "isolation.level": "read_committed",
            "enable.auto.commit": False, "auto.offset.reset": "earliest", "log_level": 0,
            "socket.timeout.ms": 3000,
        })  # fmt: skip
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to read, from the start."""
        self._consumer.assign([TopicPartition(name, n, 0) for name in self._by_topic for n in range(PARTITIONS)])
        self._thread.start()

    def stop(self) -> None:
        """No more."""
        self._stopping.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for message in self._consumer.consume(1000, 0.05):
                topic, value = message.topic(), message.value()
                if message.error() is None and topic is not None and value is not None:
                    if self._new(message):
                        self._by_topic[topic].add(json.loads(value)["n"])
                    else:
                        self.reread += 1
            self._read_journal()

    def _new(self, message: Message) -> bool:
        place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
        if offset < self._beyond.get(place, 0):
            return False
        self._beyond[place] = offset + 1
        return True

    def _read_journal(self) -> None:
        with suppress(FileNotFoundError), self._journal.open("rb") as journal:
            journal.seek(self._read_to)
            new = journal.read()
            self._read_to += len(new)
            *lines, self._rest = (self._rest + new).split(b"\n")
            for line in lines:
                for ledger in self._journals:
                    ledger.add(int(line))
