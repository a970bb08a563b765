"""Fixtures that write and run whole applications."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.apps.place import Place, embedded, on_kafka, starting


@pytest.fixture(params=["embedded", "kafka"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The embedded broker and Kafka in turn."""
    if request.param == "embedded":
        with embedded(tmp_path) as there:
            yield there
    else:
        with on_kafka(tmp_path, request.getfixturevalue("kafka_server")) as there:
            yield there


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
def start(tmp_path: Path) -> Iterator[Any]:
    """Starts applications with the options of a test; what still runs at its end is killed."""
    with starting(tmp_path / "run.log") as start:
        yield start
