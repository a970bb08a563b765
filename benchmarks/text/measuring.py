"""Measuring several ways to do the same thing: in turn, so that a busy machine is as unkind to one as to the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


def measured(works: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The seconds that each took in its best run; the runs alternate until each has had its share of time."""
    best = dict.fromkeys(works, float("inf"))
    spent = dict.fromkeys(works, 0.0)
    while any(took < seconds for took in spent.values()):
        for name, work in works.items():
            if spent[name] < seconds:
                begun = time.perf_counter()
                work()
                took = time.perf_counter() - begun
                best[name], spent[name] = min(best[name], took), spent[name] + took
    return best
