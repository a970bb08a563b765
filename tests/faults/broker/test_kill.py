"""`kill -9` at random moments: nothing acknowledged is lost, nothing is moved twice, the file stays sound.

`LANGSTREAM_KILLS` sets the number of kills; the default suits every run of the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("kill.py")


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_nothing_acknowledged_is_lost_and_nothing_is_moved_twice() -> None:
    kills = os.environ.get("LANGSTREAM_KILLS", "250")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--kills", kills, "--longest-seconds", "0.12"],
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["acknowledged"] > int(kills)
    assert counts["moved"] >= counts["acknowledged"]
    assert done.returncode == 0, (counts, done.stderr)
