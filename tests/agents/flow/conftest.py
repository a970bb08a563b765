"""Flow agents are run as the transforms are."""

from __future__ import annotations

from tests.agents.transform.conftest import make, outcome, refusals, result

__all__ = ["make", "outcome", "refusals", "result"]
