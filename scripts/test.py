"""Sets everything up and runs the tests. Arguments are passed on to pytest."""

from __future__ import annotations

import os
import sys

from environment import ROOT, environment


def main() -> None:
    """All tests, unless told otherwise: a process more than there are cores, since many of them wait for servers."""
    python = environment("dev")
    processes = str((os.cpu_count() or 1) + 1)
    command = [str(python), "-m", "pytest", *(sys.argv[1:] or ["-n", processes, "--dist", "loadgroup", "-q"])]
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
