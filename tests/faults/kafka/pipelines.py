"""The applications under test, as users write them: straight and asynchronous, exactly and at least once, a sink."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INPUT: Final = "numbers"
PARTITIONS: Final = 4
_TOPICS = """
topics:
- {{name: numbers, creation-mode: none}}
- {{name: {name}, creation-mode: none}}
"""
STRAIGHT = """
pipeline:
- type: compute
  input: numbers
  configuration: {{when: "value.n >= 0", fields: [{{name: value.double, expression: "value.n * 2"}}]}}
- type: drop-fields
  output: {name}
  configuration: {{fields: [noise], part: value}}
"""
ASYNCHRONOUS = """
errors: {{on-failure: fail, retries: 50}}
pipeline:
- type: compute
  input: numbers
  configuration: {{fields: [{{name: value.double, expression: "value.n * 2"}}]}}
- type: python-processor
  output: {name}
  configuration: {{className: agents.Moody}}
"""
SINK = """
errors: {{on-failure: fail, retries: 500}}
pipeline:
- type: python-sink
  input: numbers
  configuration: {{className: agents.Journal, directory: "{directory}"}}
"""
AGENTS = '''
import asyncio
import json
import os
import random
import time


class Moody:
    """Takes its time now and then, and fails now and then."""

    async def process(self, record):
        if random.random() < 0.05:
            await asyncio.sleep(random.choice([0.001, 0.01, 0.03]))
        if random.random() < 0.005:
            raise ConnectionError("not now")
        return [record]


class Journal:
    """Appends what it gets to a file. The file `mood` tells how slow it is and how often it fails."""

    def init(self, config):
        self.directory = config["directory"]
        self.file = os.open(self.directory + "/journal", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.looked = 0.0

    async def write(self, record):
        if time.monotonic() - self.looked > 0.2:
            self.looked = time.monotonic()
            with open(self.directory + "/mood") as mood:
                self.seconds, self.failing = json.load(mood)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        if random.random() < self.failing:
            raise ConnectionError("the sink fails")
        os.write(self.file, (str(json.loads(record.value())["n"]) + "\\n").encode())

    def close(self):
        os.close(self.file)
'''


@dataclass(frozen=True)
class Pipeline:
    """One application. `exact`: nothing may come twice."""

    name: str
    text: str
    exact: bool = False
    topic: bool = True
    """The output is a topic; else the journal of the sink."""


PIPELINES: Final = (
    Pipeline("exact", STRAIGHT, exact=True),
    Pipeline("exact-asynchronous", ASYNCHRONOUS, exact=True),
    Pipeline("at-least-once", STRAIGHT),
    Pipeline("sink", SINK, topic=False),
)


def write_applications(directory: Path, bootstrap: str, session_seconds: float) -> None:
    """One folder with application and instance for each pipeline."""
    for pipeline in PIPELINES:
        application = directory / pipeline.name / "application"
        (application / "python").mkdir(parents=True)
        (application / "python" / "agents.py").write_text(AGENTS)
        topics = _TOPICS if pipeline.topic else "\ntopics:\n- {{name: numbers, creation-mode: none}}\n"
        text = (topics + pipeline.text).format(name=pipeline.name, directory=directory)
        (application / "pipeline.yaml").write_text(text)
        configuration = {
            "admin": {
                "bootstrap.servers": bootstrap,
                "session.timeout.ms": int(session_seconds * 1000),
                "heartbeat.interval.ms": 500,
            },
            "exactly-once": "auto" if pipeline.exact else "never",
        }
        instance = {"instance": {"streamingCluster": {"type": "kafka", "configuration": configuration}}}
        (directory / pipeline.name / "instance.yaml").write_text(json.dumps(instance))
