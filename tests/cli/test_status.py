"""The status of nodes on a terminal, and elsewhere."""

from __future__ import annotations

import io
import logging
from typing import Any, cast

import click
import pytest

from langstream.cli.journal import configure_logging
from langstream.cli.status import StatusLines
from langstream.control.running import RunningApplication
from langstream.runtime.supervision import NodeStatus


@pytest.fixture
def status() -> StatusLines:
    return StatusLines(cast(RunningApplication, None))  # asked for nothing here


def test_every_node_has_a_line_with_its_numbers(status: StatusLines) -> None:
    nodes = [NodeStatus("reader", "running", 1, records_in=12345, lag=7, errors=2), NodeStatus("x", "starting", 1)]
    first, second = (click.unstyle(line).split() for line in status.lines(nodes))
    assert first == ["reader", "running", "12,345", "in", "0/s", "lag", "7", "2", "errors"]
    assert second == ["x", "starting", "0", "in", "0/s", "lag", "–", "0", "errors"]


def test_columns_are_aligned(status: StatusLines) -> None:
    nodes = [NodeStatus("a", "running", 1, records_in=1), NodeStatus("longer", "restarting", 1, records_in=1000)]
    lines = [click.unstyle(line) for line in status.lines(nodes)]
    assert len({line.index("lag") for line in lines}) == 1


def test_a_rate_is_the_difference_over_time(status: StatusLines, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("langstream.cli.status.monotonic", lambda: now[0])
    status.lines([NodeStatus("a", "running", 1, records_in=10)])
    now[0] = 102.0
    (line,) = status.lines([NodeStatus("a", "running", 1, records_in=50)])
    assert "20/s" in line


def test_the_reason_of_a_failure_is_shown_in_one_line_while_it_lasts(status: StatusLines) -> None:
    failed = NodeStatus("a", "failed", 1, last_error="no\nconnection")
    assert click.unstyle(status.lines([failed])[0]).endswith("  no connection")
    recovered = NodeStatus("a", "running", 1, last_error="no\nconnection")
    assert "connection" not in status.lines([recovered])[0]


def test_off_a_terminal_only_changes_are_told(status: StatusLines) -> None:
    running, failed = NodeStatus("a", "running", 1), NodeStatus("a", "restarting", 1, last_error="broke")
    assert status.changes([running]) == []
    assert status.changes([failed]) == ["node a: restarting — broke"]
    assert status.changes([failed]) == []
    assert status.changes([running]) == ["node a: running"]


def test_log_lines_go_to_whatever_standard_error_is_at_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    former: Any = root.handlers[:]
    level = root.level
    configure_logging(verbose=False)
    try:
        later = io.StringIO()
        monkeypatch.setattr("sys.stderr", later)
        logging.getLogger("langstream.test").info("above the lines")
        logging.getLogger("uvicorn.error").error("ASGI callable returned without completing handshake.")
    finally:
        root.handlers[:] = former
        root.setLevel(level)
    assert later.getvalue().endswith("INFO    langstream.test: above the lines\n")
    assert "handshake" not in later.getvalue()
