"""Sets everything up and runs `examples/chat-with-docs`: documents are read, split, embedded and stored; then chat."""

from __future__ import annotations

import os
import sys

from environment import ROOT, environment


def main() -> None:
    """Options are passed on to `langstream run`."""
    python = environment("run")
    example = ROOT / "examples" / "chat-with-docs"
    command = [
        str(python.parent / "langstream"), "run", "chat-with-docs",
        "-app", str(example / "application"), "-i", str(example / "instance.yaml"),
        "--data-dir", str(ROOT / ".langstream" / "chat-with-docs"), *sys.argv[1:],
    ]  # fmt: skip
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
