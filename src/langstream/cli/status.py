"""One line per node while an application runs: state, records, rate, lag, errors.

On a terminal the lines stay at the bottom and are refreshed; elsewhere a line is written when a node changes state.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

import click

from langstream.control.running import RunningApplication
from langstream.runtime.supervision import NodeStatus

REFRESH_SECONDS = 1.0

_COLOURS = {"running": "green", "failed": "red", "restarting": "yellow", "starting": "yellow", "stopped": "white"}


class StatusLines:
    """Shows the status of every node until cancelled."""

    def __init__(self, running: RunningApplication) -> None:
        self._running = running
        self._counts: dict[str, tuple[float, int]] = {}
        self._states: dict[str, tuple[str, str | None]] = {}

    async def show(self) -> None:
        """Refresh until cancelled, or until there is nobody to show it to."""
        with suppress(OSError):  # the terminal is gone; the application goes on
            if sys.stderr.isatty():
                await self._show_live()
            else:
                await self._show_changes()

    async def _show_changes(self) -> None:
        while True:
            for line in self.changes(self._running.deployment.status()):
                click.echo(line, err=True)
            await asyncio.sleep(REFRESH_SECONDS)

    async def _show_live(self) -> None:
        """Redraw the lines in place; whatever is logged or printed meanwhile appears above them."""
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        console = Console(stderr=True)
        with Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=True,
        ) as live:
            while True:
                lines = self.lines(self._running.deployment.status())
                text = Text.from_ansi("\n".join(["", *lines]), no_wrap=True, overflow="ellipsis")
                live.update(text, refresh=True)
                await asyncio.sleep(REFRESH_SECONDS)

    def changes(self, nodes: Sequence[NodeStatus]) -> list[str]:
        """A line for every node whose state is not the one told last; nothing for nodes that run from the start."""
        lines = []
        for node in nodes:
            state = (node.state, node.last_error if node.state != "running" else None)
            if self._states.get(node.id, ("running", None)) != state:
                self._states[node.id] = state
                lines.append(f"node {node.id}: {node.state}" + (f" — {state[1]}" if state[1] else ""))
        return lines

    def lines(self, nodes: Sequence[NodeStatus]) -> list[str]:
        """The status as text, one line per node, columns aligned."""
        rows = [self._row(node) for node in nodes]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(6)]
        lines: list[str] = []
        for node, row in zip(nodes, rows, strict=True):
            cells = [
                cell.ljust(widths[0]) if column == 0 else cell.rjust(widths[column]) for column, cell in enumerate(row)
            ]
            cells[1] = click.style(cells[1], fg=_COLOURS.get(node.state, "white"))
            tail = (
                f"  {click.style(' '.join(node.last_error.split()), fg='red')}"
                if node.last_error and node.state != "running"
                else ""
            )
            lines.append("  ".join(cells) + tail)
        return lines

    def _row(self, node: NodeStatus) -> list[str]:
        rate = self._rate(node)
        lag = "–" if node.lag is None else f"{node.lag:,}"
        return [
            node.id,
            node.state,
            f"{node.records_in:,} in",
            f"{rate:,.0f}/s",
            f"lag {lag}",
            f"{node.errors:,} errors",
        ]

    def _rate(self, node: NodeStatus) -> float:
        now = monotonic()
        before, count = self._counts.get(node.id, (now, node.records_in))
        self._counts[node.id] = (now, node.records_in)
        return (node.records_in - count) / (now - before) if now > before else 0.0
