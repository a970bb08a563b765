"""Faults on Kafka, with real processes: what is lost, repeated and overtaken, and how long recovery takes.

    python -m tests.faults.kafka --minutes 3 --brokers 3 --seed 1

`--minutes` is for each scenario; any number of them, also hours. Prints a table; the exit status is 1 if anything is
not as promised.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from pathlib import Path

from tests.faults.kafka.run import Outcome, possible, run
from tests.faults.kafka.scenarios import SCENARIOS
from tests.servers.kafka import VERSION

HEAD = (
    "| scenario | rounds | pipeline | records | lost | repeated | repeated though finished | out of order | recovery: "
    "brokers / pipelines / longest, s |\n|---|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="for each scenario (1)")
    parser.add_argument("--brokers", type=int, default=3)
    parser.add_argument("--kafka", default=VERSION, metavar="VERSION", help=f"of the brokers ({VERSION})")
    parser.add_argument("--rate", type=int, default=200, help="records per second (200)")
    parser.add_argument("--session-seconds", type=float, default=6.0, help="a member is missed after so long (6)")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only these; may be repeated")
    parser.add_argument("--mixed", action="store_true", help="all scenarios in turn, on the same brokers")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, help="a new folder where logs are kept")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    chosen = options.scenario or list(SCENARIOS)
    for name in [name for name in chosen if (reason := possible(name)) and not print(f"{name} is left out: {reason}")]:
        chosen.remove(name)
    print(
        f"seed {seed}, {options.brokers} brokers of Kafka {options.kafka}, {options.minutes} minutes each, "
        f"{options.rate} records/s\n\n{HEAD}"
    )
    sound = True
    for names in [chosen] if options.mixed else [[name] for name in chosen]:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
            directory = options.keep / names[0] if options.keep else Path(temporary)
            outcome = run(
                directory, names, options.minutes * 60, options.brokers, options.rate, options.session_seconds, seed,
                options.kafka,
            )  # fmt: skip
        show(outcome)
        sound = sound and outcome.sound
    return int(not sound)


def show(outcome: Outcome) -> None:
    """As rows of the table; what is wrong goes to standard error."""
    recovery = "–"
    if outcome.recoveries:
        brokers, pipelines = zip(*outcome.recoveries, strict=True)
        recovery = f"{statistics.median(brokers):.1f} / {statistics.median(pipelines):.1f} / {max(pipelines):.1f}"
    for number, verdict in enumerate(outcome.verdicts):
        first = (outcome.name, str(outcome.rounds)) if not number else ("", "")
        cells = [
            *first, verdict.pipeline, verdict.records, verdict.lost, verdict.doubled,
            verdict.stale, verdict.disordered, "" if number else recovery,
        ]  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        if verdict.uncommitted and not verdict.exact:
            finished = f"{verdict.uncommitted} of the repeated were finished five seconds before a fault"
            print(f"{verdict.pipeline}: {finished}, and not committed", file=sys.stderr, flush=True)
        if not verdict.sound:
            print(f"NOT AS PROMISED, {verdict.pipeline}: {'; '.join(verdict.notes)}", file=sys.stderr, flush=True)
    if outcome.remark:
        print(f"The brokers: {outcome.remark}", file=sys.stderr, flush=True)
    if outcome.trouble:
        print(f"TROUBLE: {outcome.trouble}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
