"""LangStream on Kafka beside its peers and a bare loop, on the same broker in the same run.

    python benchmarks/kafka/run.py

Peers are in an environment of their own, `benchmarks/kafka/.venv` (see the README); without it they are left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from contestants import CONTESTANTS, PEERS, Contestant, Task
from measure import Broker, Latency, Speed, latency, speed

from tests.servers.kafka import kafka

_T = TypeVar("_T")
TOPICS = {"log.retention.ms": "-1", "log.segment.bytes": "268435456", "broker.session.timeout.ms": "30000"}
LATENCY = (200, 4)
"""Bytes and partitions for which latency is measured, unless all of it is asked for."""


def payload(size: int, number: int) -> bytes:
    """A reading of this many bytes as JSON; its time is filled in with `%`."""
    head = b'{"t":%020d' if number < 0 else b'{"t":1700000000000000000'
    body = {
        "celsius": number % 40,
        "station": f"station-{number % 97}",
        "tags": ["outdoor", "north"],
        "note": "nothing",
    }
    text = head + b"," + json.dumps(body, separators=(",", ":")).encode()[1:-1] + b',"raw":"'
    return text + b"0af1-7b6"[:7].ljust(max(size - len(text) - 2, 1), b"x") + b'"}'


class Bench:
    """Topics with a backlog, and what was measured on them."""

    def __init__(self, broker: Broker, directory: Path, options: argparse.Namespace) -> None:
        self._broker = broker
        self._directory = directory
        self._options = options
        self._filled: set[str] = set()
        self._number = 0

    def speed(self, contestant: Contestant, work: str, size: int, partitions: int, guarantee: str) -> Speed:
        """See `measure.speed`."""
        source = f"readings-{size}-{partitions}"
        count = int(self._options.records * (1 if size < 500 else 0.5))
        if source not in self._filled:
            self._filled.add(source)
            self._broker.create(source, partitions)
            self._broker.fill(source, [payload(size, number) for number in range(1000)], count)
        task, place = self._task(source, partitions, work, guarantee)
        command = contestant.command(self._broker.bootstrap, task, place)
        try:
            return speed(self._broker, command, place / "log", task.target, partitions, count, self._options.seconds)
        finally:
            self._broker.delete(task.target)

    def latency(
        self, contestant: Contestant, work: str, size: int, partitions: int, guarantee: str, rate: int
    ) -> Latency:
        """See `measure.latency`."""
        source = f"live-{self._number}"
        self._broker.create(source, partitions)
        task, place = self._task(source, partitions, work, guarantee)
        command = contestant.command(self._broker.bootstrap, task, place)
        text = payload(size, -1).replace(b"%020d", b"%d")
        try:
            return latency(self._broker, command, place / "log", source, task.target, text, rate, self._options.seconds)
        finally:
            self._broker.delete(task.target)
            self._broker.delete(source)

    def _task(self, source: str, partitions: int, work: str, guarantee: str) -> tuple[Task, Path]:
        self._number += 1
        place = self._directory / str(self._number)
        place.mkdir()
        target = f"results-{self._number}"
        self._broker.create(target, partitions)
        return Task(source, target, f"run-{self._number}", work, guarantee), place


def main() -> None:
    """Measure, and print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=300_000, help="in the backlog, of 200 bytes (half of 1 KB)")
    parser.add_argument("--seconds", type=float, default=5.0, help="at most, for each measurement")
    parser.add_argument("--only", action="append", help="contestants; may be repeated")
    parser.add_argument("--work", action="append", choices=["pass", "transform"])
    parser.add_argument("--size", action="append", type=int)
    parser.add_argument("--partitions", action="append", type=int)
    parser.add_argument("--guarantee", action="append", choices=["least", "exact"])
    parser.add_argument("--latency", choices=["some", "all", "none"], default="some", help="some: 200 B, 4 partitions")
    parser.add_argument("--most-rate", type=int, default=10_000, help="records per second where latency is measured")
    options = parser.parse_args()
    contestants = [each for each in CONTESTANTS if not options.only or each.name in options.only]
    if not PEERS.exists():
        contestants = [each for each in contestants if each.script in ("", "bare.py")]
        print("The peers are not installed (see the README): they are left out.")
    cases = list(
        itertools.product(
            options.work or ["pass", "transform"],
            options.size or [200, 1000],
            options.partitions or [1, 4],
            options.guarantee or ["least", "exact"],
        )
    )
    with tempfile.TemporaryDirectory() as temporary, kafka(Path(temporary) / "kafka", properties=TOPICS) as server:
        bench = Bench(Broker(server.bootstrap), Path(temporary), options)
        print(
            "| work | bytes | partitions | who | guarantee | records/s | per CPU s | ÷ bare loop | p50 / p99 ms "
            "(at records/s) | peak MB |\n|---|---|---|---|---|---|---|---|---|---|"
        )
        for work, size, partitions, guarantee in cases:
            compare(bench, contestants, options, work, size, partitions, guarantee)


def compare(
    bench: Bench, contestants: list[Contestant], options: argparse.Namespace,
    work: str, size: int, partitions: int, guarantee: str,
) -> None:  # fmt: skip
    """All contestants at one thing."""
    bare: float | None = None
    known = [each for each in contestants if guarantee in each.guarantees]
    for contestant in sorted(known, key=lambda each: each.script != "bare.py"):
        found = attempted(contestant, lambda: bench.speed(contestant, work, size, partitions, guarantee))  # noqa: B023
        if found is None:
            continue
        if contestant.script == "bare.py":
            bare = found.per_processor_second
        late = None
        if options.latency == "all" or (options.latency == "some" and (size, partitions) == LATENCY):
            rate = min(int(found.per_second / 2), options.most_rate)
            late = attempted(
                contestant,
                lambda: bench.latency(contestant, work, size, partitions, guarantee, rate),  # noqa: B023
            )
        cells = [
            work, size, partitions, contestant.name, contestant.guarantees[guarantee], f"{found.per_second:,.0f}",
            f"{found.per_processor_second:,.0f}", f"{found.per_processor_second / bare:.2f}" if bare else "–",
            f"{late.median:.0f} / {late.percentile_99:.0f} ({late.rate:,})" if late else "–", f"{found.megabytes:.0f}",
        ]  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def attempted(contestant: Contestant, measure: Callable[[], _T]) -> _T | None:
    """The result; a contestant that fails does not end the run."""
    try:
        return measure()
    except Exception as error:
        print(f"{contestant.name}: {error}", file=sys.stderr, flush=True)
        return None


if __name__ == "__main__":
    main()
