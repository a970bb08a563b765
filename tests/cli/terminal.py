"""Commands as a terminal runs them: arguments and standard input in; status, output and error texts out."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from langstream.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str


def langstream(*arguments: str, stdin: str = "") -> Outcome:
    """Run one command in this process, through its entry point."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    read = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
    status = 0
    with patch.object(sys, "stdin", read), redirect_stdout(out), redirect_stderr(err):
        try:
            main(list(arguments))
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1 if end.code else 0
    return Outcome(status, _written(out), _written(err))


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
