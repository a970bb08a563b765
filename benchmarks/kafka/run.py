"""LangStream on Kafka beside its peers and a bare loop, on the same broker in the same run.

    python benchmarks/kafka/run.py                                    everything, about half an hour
    python benchmarks/kafka/run.py --short                            200 bytes and four partitions, five minutes
    python benchmarks/kafka/run.py --pick "pass 200 4 langstream"     rows with all of these words; may be repeated
    python benchmarks/kafka/run.py --table                            only print what was measured before

Every row is written to a file as soon as it is known, so that a run that was cut off goes on where it stopped, and
what failed is tried again; `--again` measures rows that are there already. Peers are in an environment of their own,
`benchmarks/kafka/.venv` (see the README); without it they are left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from contestants import CONTESTANTS, PEERS, Contestant, Task
from measure import Broker, Latency, Speed, latency, speed
from results import Case, Results, Row

from tests.servers.kafka import kafka

TOPICS = {"log.retention.ms": "-1", "log.segment.bytes": "268435456", "broker.session.timeout.ms": "120000"}
RESULTS = Path(__file__).with_name("results.jsonl")
SHORT = ("200", "4")


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
        self._backlogs: dict[tuple[int, int], tuple[str, int]] = {}
        self._number = 0

    def row(self, contestant: Contestant, case: Case) -> Row:
        """Everything about one contestant; one that fails does not end the run."""
        promise = contestant.guarantees[case.guarantee]
        load = os.getloadavg()[0]
        try:
            found = self._speed(contestant, case)
        except Exception as error:
            print(f"{case}: {error}", file=sys.stderr, flush=True)
            return Row(case, promise, load=load, failure=_brief(error))
        late: Latency | None = None
        if not self._options.no_latency:
            try:
                late = self._latency(contestant, case, min(int(found.per_second / 2), self._options.most_rate))
            except Exception as error:
                print(f"{case}, latency: {error}", file=sys.stderr, flush=True)
        return Row(
            case, promise, found.per_second, found.per_processor_second, found.megabytes, load=load,
            **({} if late is None else {"rate": late.rate, "median": late.median, "percentile_99": late.percentile_99}),
        )  # fmt: skip

    def _speed(self, contestant: Contestant, case: Case) -> Speed:
        source, count = self._backlog(case.size, case.partitions)
        task, place = self._task(source, case)
        command = contestant.command(self._broker.bootstrap, task, place)
        seconds = self._options.seconds
        try:
            return speed(self._broker, command, place / "log", task.target, case.partitions, count, seconds)
        finally:
            self._broker.delete(task.target)

    def _backlog(self, size: int, partitions: int) -> tuple[str, int]:
        """The topic and the number of its records; filled when it is first asked for."""
        if (size, partitions) not in self._backlogs:
            self._number += 1
            name, count = f"readings-{self._number}", int(self._options.records * (1 if size < 500 else 0.5))
            self._broker.create(name, partitions)
            self._broker.fill(name, [payload(size, number) for number in range(1000)], count)
            self._backlogs[size, partitions] = name, count
        return self._backlogs[size, partitions]

    def _latency(self, contestant: Contestant, case: Case, rate: int) -> Latency:
        source = f"live-{self._number}"
        self._broker.create(source, case.partitions)
        task, place = self._task(source, case)
        command = contestant.command(self._broker.bootstrap, task, place)
        text = payload(case.size, -1).replace(b"%020d", b"%d")
        try:
            return latency(self._broker, command, place / "log", source, task.target, text, rate, self._options.seconds)
        finally:
            self._broker.delete(task.target)
            self._broker.delete(source)

    def _task(self, source: str, case: Case) -> tuple[Task, Path]:
        self._number += 1
        place = self._directory / str(self._number)
        place.mkdir()
        target = f"results-{self._number}"
        self._broker.create(target, case.partitions)
        return Task(source, target, f"run-{self._number}", case.work, case.guarantee), place


def every_case() -> list[tuple[Contestant, Case]]:
    """All rows, in the order of the table."""
    return [
        (contestant, Case(work, size, partitions, guarantee, contestant.name))
        for work, size, partitions in itertools.product(("pass", "transform"), (200, 1000), (4, 1))
        for group in (("least", "none"), ("exact",))
        for contestant in CONTESTANTS
        for guarantee in group
        if guarantee in contestant.guarantees
    ]


def main() -> None:
    """Measure what is missing, and print the table."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the broker and all files go too
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="200 bytes and four partitions only")
    parser.add_argument("--pick", action="append", type=shlex.split, default=[], metavar="WORDS")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    parser.add_argument("--again", action="store_true", help="also what the file has already")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file")
    parser.add_argument("--records", type=int, default=400_000, help="in the backlog, of 200 bytes (half of 1 KB)")
    parser.add_argument("--seconds", type=float, default=4.0, help="at most, for each measurement")
    parser.add_argument("--no-latency", action="store_true")
    parser.add_argument("--most-rate", type=int, default=10_000, help="records per second where latency is measured")
    options = parser.parse_args()
    results = Results(options.results)
    chosen = [(contestant, case) for contestant, case in every_case() if _wanted(case, options)]
    if not options.table:
        missing = [pair for pair in chosen if options.again or not results.has(pair[1], not options.no_latency)]
        if not PEERS.exists():
            missing = [pair for pair in missing if not pair[0].is_peer]
            print("The peers are not installed (see the README): they are left out.", file=sys.stderr)
        measure(missing, results, options)
    print(results.table([case for _, case in chosen]))


def measure(pairs: Sequence[tuple[Contestant, Case]], results: Results, options: argparse.Namespace) -> None:
    """One after the other, on one broker."""
    if not pairs:
        return
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary, kafka(Path(temporary) / "kafka", properties=TOPICS) as server:
        bench = Bench(Broker(server.bootstrap), Path(temporary), options)
        for number, (contestant, case) in enumerate(pairs, 1):
            row = bench.row(contestant, case)
            results.add(row)
            elapsed = time.monotonic() - began
            print(f"{elapsed:5.0f} s  {number}/{len(pairs)}  {results.line(row)}", file=sys.stderr, flush=True)


def _wanted(case: Case, options: argparse.Namespace) -> bool:
    if options.short and not case.matches(SHORT):
        return False
    return not options.pick or any(case.matches(words) for words in options.pick)


def _brief(error: Exception) -> str:
    """The last line, for the table."""
    lines = str(error).strip().splitlines()
    return lines[-1][:80].replace("|", "/") if lines else type(error).__name__


if __name__ == "__main__":
    main()
