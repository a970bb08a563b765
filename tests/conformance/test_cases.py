"""The black-box cases: files of applications, what is sent to them and what must come out, run over the command line.

`kit/` has the cases and their runner; `kit/README.md` explains both. To run some of them by hand:

    LANGSTREAM_CMD=.venv/bin/langstream python tests/conformance/kit/run.py --filter 'text/'
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

KIT = Path(__file__).parent / "kit"
AREAS = sorted(path.name for path in (KIT / "cases").iterdir())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("area", AREAS)
def test_every_case_of_the_area_passes(area: str, tmp_path: Path) -> None:
    environment = {**os.environ, "LANGSTREAM_CMD": str(Path(sys.executable).parent / "langstream")}
    command = [sys.executable, str(KIT / "run.py"), "--filter", f"{area}/", "--jobs", "2", "--slow", "2"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert " 0 failed" in result.stdout
