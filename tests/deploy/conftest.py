"""Applications written as files, planned, and deployed on a cluster in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from langstream.deploy.local import LocalDeployment
from langstream.planner.check import load_and_plan
from langstream.records import SimpleRecord
from langstream.topics.local.cluster import LocalCluster
from langstream.topics.memory import open_cluster


class Deployments:
    """Makes deployments; stops them when the test ends."""

    def __init__(self, cluster: LocalCluster, directory: Path) -> None:
        self.cluster = cluster
        self.directory = directory
        self._made: list[LocalDeployment] = []

    def __call__(self, files: dict[str, str], **options: Any) -> LocalDeployment:
        application = self.directory / "application"
        for name, text in files.items():
            (application / name).parent.mkdir(parents=True, exist_ok=True)
            (application / name).write_text(text)
        options.setdefault("data_directory", self.directory / "data")
        deployment = LocalDeployment(load_and_plan(application, "app"), self.cluster, **options)
        self._made.append(deployment)
        return deployment

    async def send(self, topic: str, *values: Any) -> None:
        await self.cluster.producer().send(topic, [SimpleRecord(value) for value in values])

    async def values(self, topic: str, count: int) -> list[Any]:
        reader = self.cluster.reader(topic, "earliest")
        await reader.start()
        found: list[Any] = []
        while len(found) < count:
            found += [record.value() for run in await reader.read(1_000, 1.0) for record in run.records]
        await reader.close()
        return found

    async def close(self) -> None:
        for deployment in self._made:
            await deployment.stop(5.0)


@pytest.fixture
async def deploy(tmp_path: Path) -> AsyncIterator[Deployments]:
    cluster = open_cluster({}, None)
    await cluster.start()
    deployments = Deployments(cluster, tmp_path)
    yield deployments
    await deployments.close()
    await cluster.close()


@pytest.fixture
def pipeline() -> Callable[..., str]:
    """A pipeline from `in` to `out` that upper-cases values."""

    def text(mode: str = "create-if-not-exists") -> str:
        return f"""
topics:
- {{name: in, creation-mode: {mode}, deletion-mode: delete}}
- {{name: out, creation-mode: {mode}}}
pipeline:
- id: shout
  type: compute
  input: in
  configuration: {{fields: [{{name: value, expression: "fn:uppercase(value)"}}]}}
- id: mark
  type: compute
  output: out
  configuration: {{fields: [{{name: value, expression: "fn:concat(value, '!')"}}]}}
"""

    return text
