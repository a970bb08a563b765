"""Running the examples of the reference on a cluster in memory."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from langstream.cli.examples import Example
from langstream.deploy.local import LocalDeployment
from langstream.planner.check import load_and_plan
from langstream.planner.plan import ExecutionPlan
from langstream.records import SimpleRecord
from langstream.topics.local.cluster import LocalCluster

ACCOUNT: Final = '{"type": "service_account", "client_email": "app@example.com", "private_key": "key"}'


def planned(example: Example, directory: Path) -> ExecutionPlan:
    """The plan of an example, its files written and its secrets made up. Raises ApplicationRefused."""
    application = directory / "application"
    for name, text in example.files.items():
        (application / name).parent.mkdir(parents=True, exist_ok=True)
        (application / name).write_text(text)
    secrets = directory / "secrets.yaml"
    secrets.write_text(example.secrets or "secrets: []\n")
    variables = re.findall(r"\$\{(\w+)\}", example.secrets)
    environment = {name: ACCOUNT if name.endswith("_ACCOUNT_JSON") else "secret" for name in variables}
    return load_and_plan(application, "app", secrets=secrets, environment=environment)


class Running:
    """An example, deployed in memory."""

    def __init__(self, example: Example, plan: ExecutionPlan, cluster: LocalCluster, directory: Path) -> None:
        self.cluster = cluster
        self.plan = plan
        self.deployment = LocalDeployment(plan, cluster, data_directory=directory / "data")
        self.entries = [
            entry
            for text in example.files.values()
            if isinstance(file := yaml.safe_load(text) if "pipeline:" in text else None, dict)
            for entry in file["pipeline"]
        ]

    @property
    def input(self) -> str:
        """The topic of the first agent."""
        return str(self.entries[0]["input"])

    @property
    def output(self) -> str:
        """The topic of the last agent."""
        return str(self.entries[-1]["output"])

    async def ask(self, question: Mapping[str, Any], complete: Callable[[Any], bool]) -> Any:
        """What a store has found for a question, asked again for a minute until the answer is complete."""
        asked, deadline = 0, time.monotonic() + 60
        found: Any = None
        while time.monotonic() < deadline and (found is None or not complete(found)):
            await self.send("questions", [{"value": question, "key": None, "headers": {}}])
            asked += 1
            answers = await self.read("related-documents", asked)
            found = json.loads(answers[-1].value())["related_documents"]
        return found

    async def send(self, topic: str, sent: Sequence[Mapping[str, Any]]) -> None:
        await self.cluster.producer().send(
            topic, [SimpleRecord(one["value"], one["key"], list(one["headers"].items())) for one in sent]
        )

    async def read(self, topic: str, count: int) -> list[Any]:
        """What is in a topic, waiting for so many records for a minute."""
        reader = self.cluster.reader(topic, "earliest")
        await reader.start()
        found: list[Any] = []
        deadline = time.monotonic() + 60
        while len(found) < count and time.monotonic() < deadline:
            found += [record for run in await reader.read(1_000, 1.0) for record in run.records]
        await reader.close()
        return found
