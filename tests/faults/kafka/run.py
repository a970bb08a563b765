"""One scenario after the other, each with brokers, topics and ledgers of its own, and the verdict on each."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.kafka.scenarios import SCENARIOS
from tests.faults.kafka.stage import Recovery, Stage, Trouble
from tests.servers.disk import missing as no_small_disks
from tests.servers.kafka import VERSION, kafka

DISK_MEGABYTES = 700
DISK = {"log.segment.bytes": "16777216", "log.cleaner.dedupe.buffer.size": "2097152"}


@dataclass
class Verdict:
    """What happened to the records of one pipeline."""

    pipeline: str
    exact: bool
    records: int
    lost: int
    doubled: int
    stale: int
    disordered: int
    uncommitted: int
    notes: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """As promised: under exactly-once nothing comes twice, else only what was in flight."""
        return not (self.lost or self.disordered or (self.doubled if self.exact else self.stale))


@dataclass
class Outcome:
    """One scenario."""

    name: str
    rounds: int
    recoveries: Sequence[Recovery]
    verdicts: Sequence[Verdict]
    trouble: str | None = None
    remark: str | None = None
    """What went wrong outside of the product."""

    @property
    def sound(self) -> bool:
        """Everything as promised."""
        return self.trouble is None and all(verdict.sound for verdict in self.verdicts)


def run(
    directory: Path,
    names: Sequence[str],
    seconds: float,
    brokers: int,
    rate: int,
    session_seconds: float,
    seed: int,
    version: str = VERSION,
) -> Outcome:
    """The scenarios, in turn until the time is over, on the same brokers; at least one round of each."""
    disk = DISK_MEGABYTES if "disk-full" in names else None
    properties = DISK if disk else {}
    with kafka(directory / "brokers", brokers, disk_megabytes=disk, properties=properties, version=version) as server:
        stage = Stage(directory, server, rate, session_seconds, seed)
        trouble, rounds = None, 0
        try:
            stage.start()
            deadline = time.monotonic() + seconds
            while rounds < len(names) or time.monotonic() < deadline:
                name = names[rounds % len(names)]
                before = time.monotonic()
                SCENARIOS[name](stage)
                rounds += 1
                print(f"  {name}: {time.monotonic() - before:.1f} s; {stage.standing()}", file=sys.stderr, flush=True)
                time.sleep(stage.chance.uniform(0.2, 1.5))
            stage.finish()
        except (Trouble, RuntimeError) as error:
            trouble = "; ".join([str(error), *stage.groups()])
            for runtime in stage.runtimes:
                runtime.tell_where()
            for number in server.brokers:
                server.tell_where(number)
            time.sleep(2)
            stage.load.stop()
        finally:
            stage.close()
        verdicts = [
            Verdict(
                ledger.pipeline.name,
                ledger.pipeline.exact,
                ledger.seen,
                len(ledger.lost(stage.written)),
                ledger.doubled,
                ledger.stale,
                ledger.disordered,
                ledger.uncommitted,
                ledger.notes + [f"lost {n}" for n in ledger.lost(stage.written)[:20]],
            )
            for ledger in stage.ledgers
        ]
        remarks = [_not_in_the_input(stage), _several_times_in_the_input(stage)] if trouble is None else []
        remark = "; ".join(filter(None, remarks)) or None
        if stage.load.failures:
            trouble = f"the load failed: {stage.load.failures[0]}"
    return Outcome(" + ".join(names), rounds, stage.recoveries, verdicts, trouble, remark)


def _not_in_the_input(stage: Stage) -> str | None:
    """Records that brokers acknowledged, and do not have: where each should be, and what stands there."""
    missing = sorted(stage.load.places.keys() - stage.written.keys())
    if not missing:
        return None
    there = {place: n for n, place in stage.written.items()}
    told = [f"{n} acknowledged at {place}, where {there.get(place)} stands" for n in missing[:9]
            for place in [stage.load.places[n]]]  # fmt: skip
    return f"{len(missing)} records were acknowledged to the load, but are not in the input: {'; '.join(told)}"


def _several_times_in_the_input(stage: Stage) -> str | None:
    """Records that the load's client wrote again: to come out as often is no repetition."""
    several = sorted(stage.copies)
    return f"{len(several)} records stand in the input several times, such as {several[:9]}" if several else None


def possible(name: str) -> str | None:
    """Why a scenario cannot be run here, or None."""
    return no_small_disks() if name == "disk-full" else None
