"""Runs the applications of this folder, each in front of a real store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apps.catalogue.conftest import Launch, launcher, serve
from tests.apps.place import Place

__all__ = ["serve"]


@pytest.fixture
def launch(place: Place) -> Launch:
    """Runs an application of this folder."""
    return launcher(Path(__file__).parent, place)
