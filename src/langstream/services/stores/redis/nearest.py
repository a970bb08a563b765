"""The rows nearest to a vector, found by comparing it with every one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langstream.errors import ServiceError
from langstream.services.stores.contract import Row


def nearest(rows: Sequence[Row], vector: Sequence[float], name: str, metric: str, limit: int) -> list[Row]:
    """At most `limit` rows, the nearest first, with `similarity` (or, for `euclidean`, `distance`) added.

    Rows without a vector are left out. Raises ServiceError (refused) where lengths differ.
    """
    import numpy as np

    candidates = [row for row in rows if row.get(name) is not None]
    if not candidates:
        return []
    wrong = {len(row[name]) for row in candidates} - {len(vector)}
    if wrong:
        raise ServiceError(
            f"the query's vector has {len(vector)} numbers, those in the store have {min(wrong)}",
            category="refused",
        )
    stored = np.asarray([row[name] for row in candidates], dtype=np.float32)
    wanted = np.asarray(vector, dtype=np.float32)
    scores: Any
    if metric == "euclidean":
        scores = -np.linalg.norm(stored - wanted, axis=1)
    else:
        scores = stored @ wanted
        if metric == "cosine":
            lengths = np.linalg.norm(stored, axis=1) * np.linalg.norm(wanted)
            scores = np.divide(scores, lengths, out=np.zeros_like(scores), where=lengths > 0)
    best = np.argsort(-scores, kind="stable")[:limit]
    label, sign = ("distance", -1) if metric == "euclidean" else ("similarity", 1)
    return [{**candidates[index], label: sign * float(scores[index])} for index in best]
