"""Runs the applications of this folder: each with the services it is written for, in front of a gateway, on every
broker.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.apps.application import RunningApp
from tests.apps.catalogue.thinking import Loop
from tests.apps.place import Place
from tests.services.ai.fake_server import FakeServer

HERE = Path(__file__).parent

Serve: TypeAlias = Callable[[FakeServer], None]
Launch: TypeAlias = Callable[..., RunningApp]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers; they are stopped at the end of the test."""
    loop = Loop()
    yield loop.serve
    loop.close()


def launcher(folder: Path, place: Place) -> Launch:
    """Runs an application of a folder, with these secrets and globals."""

    def launched(name: str, secrets: dict[str, dict[str, str]], **globals_: str) -> RunningApp:
        return place.run(folder / name / "application", name=name, secrets=secrets, globals_=globals_)

    return launched


@pytest.fixture
def launch(place: Place) -> Launch:
    """Runs an application of this folder."""
    return launcher(HERE, place)


def structures(frames: list[dict[str, Any]]) -> list[Any]:
    """The values of frames, which are JSON."""
    return [json.loads(frame["record"]["value"]) for frame in frames]
