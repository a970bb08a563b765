"""The short form of the faults on Kafka: two minutes of the most telling kinds in turn, on three brokers.

The long form is `python -m tests.faults.kafka --minutes 60`; its last report is in `REPORT.md`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.kafka.ledger import Ledger
from tests.faults.kafka.pipelines import PIPELINES
from tests.servers.kafka import missing

ROOT = Path(__file__).resolve().parents[3]
KINDS = ("runtime-killed", "broker-killed", "rebalance-storm", "broker-paused", "sink-in-trouble")


@pytest.mark.slow
@pytest.mark.xdist_group("faults")
@pytest.mark.timeout(900)
def test_nothing_is_lost_and_nothing_comes_twice_whatever_fails(tmp_path: Path) -> None:
    reason = missing()
    if reason:
        if os.environ.get("LANGSTREAM_REQUIRE_SERVICES"):
            pytest.fail(f"no Kafka: {reason}")
        pytest.skip(f"no Kafka: {reason}")
    command = [sys.executable, "-m", "tests.faults.kafka", "--mixed", "--minutes", "2", "--rate", "100"]
    command += ["--session-seconds", "4", "--keep", str(tmp_path / "run")]
    for kind in KINDS:
        command += ["--scenario", kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| exact |" in done.stdout


def test_what_stands_in_the_input_twice_may_come_out_twice_and_no_more() -> None:
    ledger = Ledger(PIPELINES[0], {})
    for n in (1, 2, 3, 1, 2, 2):
        ledger.add(n)
    assert ledger.doubled == 3
    ledger.allow({1: 2, 2: 2})
    assert ledger.doubled == 1
