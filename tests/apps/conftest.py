"""Fixtures that write and run whole applications."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.apps.application import RunningApp

Start = Callable[..., RunningApp]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Writes the files of an application and returns its directory."""

    def written(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "application" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return tmp_path / "application"

    return written


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts applications; what still runs at the end of the test is killed."""
    started: list[RunningApp] = []

    def run(directory: Path, *options: str, **settings: Any) -> RunningApp:
        app = RunningApp(directory, *options, log=tmp_path / "run.log", **settings)
        started.append(app)
        return app

    yield run
    for app in started:
        app.kill()
