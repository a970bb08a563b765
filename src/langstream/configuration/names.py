"""Guessing the name that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to this one, if any is close."""
    candidates = list(known)
    match = difflib.get_close_matches(str(name), candidates, n=1, cutoff=0.6)
    if match:
        return match[0]
    folded = {candidate.lower().replace("_", "-"): candidate for candidate in candidates}
    return folded.get(str(name).lower().replace("_", "-"))


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """`Did you mean 'x'?`, or None."""
    match = near(name, known)
    return f"Did you mean '{match}'?" if match else None
