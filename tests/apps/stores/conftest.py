"""Runs the applications of this folder, each in front of a real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apps.catalogue.conftest import Launch, launcher, serve

__all__ = ["serve"]


@pytest.fixture
def launch(start: Any, tmp_path: Path) -> Launch:
    """Runs an application of this folder."""
    return launcher(Path(__file__).parent, start, tmp_path)
