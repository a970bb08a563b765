"""Rows that were measured, kept in a file as they come, and the table of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

HEAD = (
    "| work | bytes | partitions | who | guarantee | records/s | per CPU s | ÷ bare loop | p50 / p99 ms "
    "(at records/s) | peak MB |\n|---|---|---|---|---|---|---|---|---|---|"
)


class Case(NamedTuple):
    """What is measured. Guarantees are `least`, `exact` and `none`; `name` is the contestant's."""

    work: str
    size: int
    partitions: int
    guarantee: str
    name: str

    def matches(self, words: Iterable[str]) -> bool:
        """Whether every word is one of its parts."""
        return set(words) <= set(map(str, self))


@dataclass(frozen=True)
class Row:
    """One result. What failed has `failure`; what was not asked for is None. `load` is the machine's at that time."""

    case: Case
    promise: str
    per_second: float | None = None
    per_processor_second: float | None = None
    megabytes: float | None = None
    rate: int | None = None
    median: float | None = None
    percentile_99: float | None = None
    load: float = 0.0
    failure: str | None = None


class Results:
    """The rows of a file. A later row replaces an earlier one of the same case."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.rows: dict[Case, Row] = {}
        known = {field.name for field in fields(Row)}
        for line in file.read_text().splitlines() if file.exists() else ():
            content = json.loads(line)
            row = Row(**{**{name: content[name] for name in known & content.keys()}, "case": Case(*content["case"])})
            self.rows[row.case] = row

    def has(self, case: Case, latency: bool) -> bool:
        """Whether nothing is to be measured for it, latency included."""
        row = self.rows.get(case)
        return row is not None and row.failure is None and (row.median is not None or not latency)

    def add(self, row: Row) -> None:
        """Kept at once."""
        self.rows[row.case] = row
        with self._file.open("a") as file:
            file.write(json.dumps(asdict(row)) + "\n")

    def table(self, order: Iterable[Case]) -> str:
        """In Markdown: these cases, as far as they are there, and what is to be said about them."""
        rows = [self.rows[case] for case in order if case in self.rows]
        lines = [HEAD, *map(self.line, rows)]
        if rows:
            loads = sorted(row.load for row in rows)
            lines.append(
                f"\nLoad average of the machine while this was measured: {loads[0]:.1f} to {loads[-1]:.1f}, "
                f"median {loads[len(loads) // 2]:.1f}."
            )
        return "\n".join(lines)

    def line(self, row: Row) -> str:
        """Of the table."""
        case = row.case
        bare = self.rows.get(
            case._replace(name="bare loop", guarantee="exact" if case.guarantee == "exact" else "least")
        )
        share = None
        if row.per_processor_second and bare and bare.per_processor_second:
            share = row.per_processor_second / bare.per_processor_second
        late = f"{row.median:.0f} / {row.percentile_99:.0f} ({row.rate:,})" if row.median is not None else "–"
        cells = (
            case.work, case.size, case.partitions, case.name, row.promise,
            _number(row.per_second) if row.failure is None else f"failed: {row.failure}",
            _number(row.per_processor_second), "–" if share is None else f"{share:.2f}", late, _number(row.megabytes),
        )  # fmt: skip
        return f"| {' | '.join(map(str, cells))} |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
