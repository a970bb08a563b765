"""The process that reads documents, when whoever asks it goes away."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from langstream.agents.text.worker import DONE, HEADER, serve


def test_half_a_document_is_not_worked_on() -> None:
    asked: list[bytes] = []

    def work(content: bytes) -> bytes:
        asked.append(content)
        return content

    answers = io.BytesIO()
    serve(io.BytesIO(HEADER.pack(2) + b"ab" + HEADER.pack(4) + b"cd"), answers, work)
    assert asked == [b"ab"]
    assert answers.getvalue() == DONE + HEADER.pack(2) + b"ab"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the end of standard input must do")
@pytest.mark.parametrize(("away", "served"), [(0, True), (1, False)])
def test_a_process_whose_parent_has_ended_serves_nobody(away: int, served: bool) -> None:
    command = [sys.executable, "-m", "langstream.agents.text.worker", "extract", str(1 << 30), "60", "{}"]
    request = HEADER.pack(5) + b"hello"
    done = subprocess.run([*command, str(os.getpid() + away)], input=request, capture_output=True, check=False)
    assert done.returncode == 0
    assert (b"hello" in done.stdout) is served
