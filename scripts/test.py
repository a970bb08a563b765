"""Sets everything up and runs the tests. Arguments are passed on to pytest."""

from __future__ import annotations

import os
import sys

from environment import ROOT, environment


def main() -> None:
    """All tests, on every core, unless told otherwise."""
    python = environment("dev")
    command = [str(python), "-m", "pytest", *(sys.argv[1:] or ["-n", "auto", "--dist", "loadgroup", "-q"])]
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
