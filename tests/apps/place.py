"""Where a test's application runs: on the embedded broker or on Kafka. Nothing but its instance file tells."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.apps.application import RunningApp
from tests.servers.kafka import Kafka

SECONDS = 60
MARK = "langstream-default-"


@contextmanager
def starting(log: Path) -> Iterator[Any]:
    """Starts applications; what still runs at the end is killed."""
    started: list[RunningApp] = []

    def start(directory: Path, *options: str, **settings: Any) -> RunningApp:
        app = RunningApp(directory, *options, log=log, **settings)
        started.append(app)
        return app

    try:
        yield start
    finally:
        for app in started:
            app.kill()


@dataclass(frozen=True)
class Place:
    """Runs applications, each under a name that nobody had before: consumer groups carry it."""

    broker: str
    directory: Path
    start: Any
    cluster: Mapping[str, Any] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    ran: dict[str, Path] = field(default_factory=dict)
    """The application's directory by the name it ran under."""

    def run(
        self,
        application: Path,
        *options: str,
        name: str = "app",
        page: bool = False,
        secrets: Mapping[str, Mapping[str, str]] | None = None,
        globals_: Mapping[str, Any] | None = None,
    ) -> RunningApp:
        """Start an application with these secrets and globals; again, in the same test, where it was."""
        name = f"{name}-{self.mark}"
        self.ran[name] = application
        files = ["-i", self._instance(globals_ or {})]
        if secrets:
            files += ["-s", self._written("secrets", [{"id": id, "data": data} for id, data in secrets.items()])]
        served = () if page else ("--no-ui",)
        data = ("--data-dir", str(self.data))
        app: RunningApp = self.start(application, *files, *data, *served, *options, name=name)
        return app

    @property
    def data(self) -> Path:
        """Where topics of the embedded broker, and the agents' state, are kept."""
        return self.directory / "data"

    def _instance(self, globals_: Mapping[str, Any]) -> str:
        """The instance file: only the streaming cluster tells one broker from another."""
        cluster = {"streamingCluster": self.cluster} if self.cluster else {}
        return self._written("instance", {**cluster, "globals": globals_})

    def _written(self, kind: str, content: Any) -> str:
        path = self.directory / f"{kind}.yaml"
        path.write_text(json.dumps({kind: content}))
        return str(path)


@contextmanager
def embedded(directory: Path) -> Iterator[Place]:
    """The embedded broker, which every application has without being told."""
    with starting(directory / "run.log") as start:
        yield Place("embedded", directory, start)


@contextmanager
def on_kafka(directory: Path, server: Kafka) -> Iterator[Place]:
    """A real Kafka. What ran is seen there afterwards by another client: its topics, and how far it had read."""
    server.clear()
    admin = {"bootstrap.servers": server.bootstrap, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    try:
        with starting(directory / "run.log") as start:
            place = Place("kafka", directory, start, {"type": "kafka", "configuration": {"admin": admin}})
            yield place
            for name, application in place.ran.items():
                _seen(server, name, application)
    finally:
        server.clear()


def _seen(server: Kafka, name: str, application: Path) -> None:
    """The declared topics are on the broker, and every topic that is read has offsets of the application's groups."""
    pipelines = [yaml.safe_load(path.read_text()) for path in application.glob("*.yaml")]
    topics = {topic["name"] for pipeline in pipelines for topic in pipeline.get("topics") or ()}
    read = {agent["input"] for pipeline in pipelines for agent in pipeline.get("pipeline") or () if "input" in agent}
    missing = topics - server.topics()
    assert not missing, f"{name} ran on Kafka, and its topics {sorted(missing)} are not there"
    deadline = time.monotonic() + SECONDS
    while unread := read - server.committed(f"{MARK}{name}-"):
        assert time.monotonic() < deadline, f"{name} ran on Kafka, and never said how far it had read {sorted(unread)}"
        time.sleep(0.05)
