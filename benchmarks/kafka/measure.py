"""One contestant as a process of its own: what comes out, what it costs, and how late it is."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka import Consumer, IsolationLevel, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

SAMPLE_SECONDS = 0.05
START_SECONDS = 60.0
LONGER = 4
ANSWER_SECONDS = 60.0
"""A broker on a busy machine is away now and then."""
WARM_PARTS = 0.1
"""The first part of the records is not counted: imports, joining the group, first fetches."""


@dataclass(frozen=True)
class Speed:
    """Of the steady part."""

    per_second: float
    per_processor_second: float
    megabytes: float


@dataclass(frozen=True)
class Latency:
    """From the time a record was made until it could be read, in milliseconds."""

    rate: int
    median: float
    percentile_99: float


class Broker:
    """The topics of a benchmark."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = _admin(bootstrap)

    def create(self, name: str, partitions: int) -> None:
        """A new topic."""
        self._admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)

    def delete(self, name: str) -> None:
        """Gone."""
        self._admin.delete_topics([name])[name].result(30)

    def fill(self, name: str, payloads: Sequence[bytes], count: int) -> None:
        """So many records, with keys."""
        producer = Producer({
            "bootstrap.servers": self.bootstrap, "linger.ms": 20, "compression.type": "lz4",
            "partitioner": "murmur2_random", "queue.buffering.max.messages": 0,
        })  # fmt: skip
        for number in range(count):
            producer.produce(name, payloads[number % len(payloads)], str(number % 997))
        producer.flush()

    def written(self, name: str, partitions: int) -> int:
        """Records that can be read (and a mark for each transaction)."""
        wanted = {TopicPartition(name, number): OffsetSpec.latest() for number in range(partitions)}
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            answers = self._admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED)
            try:
                return sum(answer.result(10).offset for answer in answers.values())
            except KafkaException:  # the topic is new, or the broker is away
                if time.monotonic() > deadline:
                    raise
            time.sleep(SAMPLE_SECONDS)
            self._admin = _admin(self.bootstrap)  # this one may go on believing that there is no leader


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[psutil.Process]:
    """The process, killed in the end."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent,
            env={**os.environ, "TMPDIR": str(log.parent)},
        )  # fmt: skip
    watched = psutil.Process(process.pid)
    try:
        yield watched
        if process.poll() is not None:
            raise RuntimeError(f"it ended by itself: {log.read_text(errors='replace')[-2000:]}")
    finally:
        for child in _family(watched):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        process.wait()


def speed(
    broker: Broker, command: Sequence[str], log: Path, target: str, partitions: int, count: int, seconds: float
) -> Speed:
    """While it works through a backlog of `count` records.

    It ends after `seconds` if the contestant had half of them of a processor: on a busy machine it gets longer.
    """
    samples: list[tuple[float, int, float]] = []
    memory = 0.0
    with running(command, log) as process:
        deadline = time.monotonic() + START_SECONDS
        first: tuple[float, float] | None = None
        while True:
            written, now, spent = broker.written(target, partitions), time.monotonic(), _processor_seconds(process)
            samples.append((now, written, spent))
            memory = max(memory, _megabytes(process))
            if written and first is None:
                first = now, spent
                deadline = now + LONGER * seconds
            enough = first is not None and now - first[0] > seconds and spent - first[1] > seconds / 2
            if written >= count or enough or now > deadline:
                break
            time.sleep(SAMPLE_SECONDS)
    top = samples[-1][1]
    steady = [sample for sample in samples if WARM_PARTS * top <= sample[1] <= 0.97 * top]
    if len(steady) < 2:
        raise RuntimeError(f"too few samples; {log.read_text(errors='replace')[-2000:]}")
    (began, before, spent_before), (ended, after, spent_after) = steady[0], steady[-1]
    done = after - before
    return Speed(done / (ended - began), done / max(spent_after - spent_before, 1e-9), memory)


def latency(
    broker: Broker,
    command: Sequence[str],
    log: Path,
    source: str,
    target: str,
    payload: bytes,
    rate: int,
    seconds: float,
) -> Latency:
    """While records come in at a steady rate. The payload has its time at `%020d`."""
    found: list[float] = []
    stop = threading.Event()
    with running(command, log):
        reading = threading.Thread(target=_read, args=(broker.bootstrap, target, found, stop))
        reading.start()
        try:
            _feed(broker.bootstrap, source, payload, 100, found, lambda: bool(found), START_SECONDS)
            end = time.monotonic() + seconds + 1.0
            _feed(broker.bootstrap, source, payload, rate, found, lambda: time.monotonic() > end, seconds + 2.0)
            time.sleep(0.5)
        finally:
            stop.set()
            reading.join()
    if not found:
        raise RuntimeError(f"nothing came out; {log.read_text(errors='replace')[-2000:]}")
    late = sorted(found[len(found) // 5 :])  # the first second is for getting into step
    return Latency(rate, late[len(late) // 2] * 1000, late[int(len(late) * 0.99)] * 1000)


def _feed(bootstrap: str, topic: str, payload: bytes, rate: int, found: list[float], done: object, most: float) -> None:
    producer = Producer({
        "bootstrap.servers": bootstrap, "linger.ms": 1, "compression.type": "lz4", "partitioner": "murmur2_random",
        "queue.buffering.max.messages": 0, "log_level": 0,
    })  # fmt: skip
    began = time.monotonic()
    sent = 0
    while not done() and time.monotonic() - began < most:  # type: ignore[operator]
        due = int((time.monotonic() - began) * rate)
        stamp = payload % time.time_ns()
        for number in range(sent, due):
            producer.produce(topic, stamp, str(number % 997))
        sent = max(due, sent)
        producer.poll(0)
        time.sleep(0.001)
    producer.flush()


def _read(bootstrap: str, topic: str, found: list[float], stop: threading.Event) -> None:
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "reader", "isolation.level": "read_committed",
        "auto.offset.reset": "earliest", "enable.auto.commit": False, "fetch.wait.max.ms": 5, "log_level": 0,
    })  # fmt: skip
    while not (partitions := consumer.list_topics(topic, 10).topics[topic].partitions):  # not known to all yet
        time.sleep(SAMPLE_SECONDS)
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    while not stop.is_set():
        messages = consumer.consume(500, 0.01)
        now = time.time_ns()
        for message in messages[::10]:
            if message.error() is None:
                value = message.value() or b""
                start = value.index(b'"t":1') + 4
                found.append((now - int(value[start : start + 19])) / 1e9)
    consumer.close()


def _family(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def _end_with_parent() -> None:
    """A run that is killed leaves no contestant behind. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _processor_seconds(process: psutil.Process) -> float:
    total = 0.0
    for each in _family(process):
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


def _megabytes(process: psutil.Process) -> float:
    total = 0.0
    for each in _family(process):
        with suppress(psutil.NoSuchProcess):
            total += each.memory_info().rss
    return total / 1e6
