"""One line per node while an application runs: state, records, rate, lag, errors.

On a terminal the lines stay at the bottom and are refreshed; elsewhere a line is written when a node changes state.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
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
        """Refresh until cancelled."""
        if sys.stderr.isatty():
            await self._show_live()
        else:
            await self._show_changes()

    async def _show_changes(self) -> None:
        while True:
            for node in self._running.deployment.status():
                state = (str(node.state), node.last_error)
                if self._states.get(node.id, ("running", None)) != state:
                    self._states[node.id] = state
                    click.echo(
                        f"node {node.id}: {node.state}" + (f" — {node.last_error}" if node.last_error else ""), err=True
                    )
            await asyncio.sleep(REFRESH_SECONDS)

    async def _show_live(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        with Live(console=Console(stderr=True), refresh_per_second=2, transient=True) as live:
            while True:
                lines = self.lines(self._running.deployment.status())
                live.update(Text.from_ansi("\n".join(lines)))
                await asyncio.sleep(REFRESH_SECONDS)

    def lines(self, nodes: Sequence[NodeStatus]) -> list[str]:
        """The status as text, one line per node, columns aligned."""
        rows = [self._row(node) for node in nodes]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(6)]
        lines: list[str] = []
        for node, row in zip(nodes, rows, strict=True):
            cells = [
                cell.ljust(widths[0]) if column == 0 else cell.rjust(widths[column]) for column, cell in enumerate(row)
            ]
            cells[1] = click.style(cells[1], fg=_COLOURS.get(str(node.state), "white"))
            tail = (
                f"  {click.style(node.last_error, fg='red')}"
                if node.last_error and str(node.state) != "running"
                else ""
            )
            lines.append("  ".join(cells) + tail)
        return lines

    def _row(self, node: NodeStatus) -> list[str]:
        rate = self._rate(node)
        lag = "–" if node.lag is None else f"{node.lag:,}"
        return [
            node.id,
            str(node.state),
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
