"""Fixtures that write and run whole applications."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.apps.application import RunningApp

Start = Callable[..., RunningApp]


@dataclass(frozen=True)
class Place:
    """Where an application runs: options of `run`, and a name that keeps its consumer groups to itself."""

    broker: str
    directory: Path
    cluster: Mapping[str, Any] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"app-{uuid.uuid4().hex[:8]}")

    def options(self, **globals: str) -> tuple[str, ...]:
        """The options; only the instance file tells one broker from another."""
        instance: dict[str, Any] = {"globals": globals}
        if self.cluster:
            instance["streamingCluster"] = self.cluster
        path = self.directory / "instance.yaml"
        path.write_text(json.dumps({"instance": instance}))
        return ("-i", str(path), "--data-dir", str(self.directory / "data"), "--no-ui")


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.xdist_group("kafka"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The embedded broker and Kafka in turn."""
    if request.param == "embedded":
        yield Place("embedded", tmp_path)
        return
    server = request.getfixturevalue("kafka_server")
    server.clear()
    admin = {"bootstrap.servers": server.bootstrap, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    yield Place("kafka", tmp_path, {"type": "kafka", "configuration": {"admin": admin}})
    server.clear()


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
