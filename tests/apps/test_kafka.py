"""`langstream run` with its topics on a real Kafka, through the front door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.kafka import Kafka

FILES = {
    "pipeline.yaml": """
        topics:
          - {name: in, creation-mode: create-if-not-exists, deletion-mode: delete, partitions: 2}
          - {name: out, creation-mode: create-if-not-exists, deletion-mode: delete}
          - {name: in-deadletter, creation-mode: create-if-not-exists, options: {replication-factor: 1}}
        errors: {on-failure: dead-letter, retries: 0}
        pipeline:
          - type: compute
            input: in
            configuration: {fields: [{name: value.twice, expression: "value.n * 2"}]}
          - {type: drop-fields, output: out, configuration: {fields: [secret]}}
    """,
    "gateways.yaml": """
        gateways:
          - {id: in, type: produce, topic: in}
          - {id: out, type: consume, topic: out}
          - {id: failed, type: consume, topic: in-deadletter}
    """,
}


@pytest.fixture
def instance(kafka_server: Kafka, tmp_path: Path) -> Iterator[Path]:
    """An instance file that names the broker."""
    path = tmp_path / "instance.yaml"
    admin = {"bootstrap.servers": kafka_server.bootstrap, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    cluster = {"type": "kafka", "configuration": {"admin": admin}}
    path.write_text(json.dumps({"instance": {"streamingCluster": cluster}}))
    yield path
    kafka_server.clear()


def numbers(frames: list[dict[str, Any]]) -> list[int]:
    return [json.loads(frame["record"]["value"])["twice"] for frame in frames]


def test_records_pass_from_gateway_to_gateway_over_kafka(write: Any, start: Any, instance: Path) -> None:
    app = start(write(FILES), "-i", str(instance), "--no-ui")
    for n in range(20):
        app.produce("in", {"n": n, "secret": "s"}, key="k", headers={"h": "é"})
    frames = app.consume("out", 20)
    assert numbers(frames) == [2 * n for n in range(20)]
    assert frames[0]["record"]["headers"]["h"] == "é"
    resumed = app.consume("out", 5, position=frames[14]["offset"])
    assert numbers(resumed) == [30, 32, 34, 36, 38]


def test_a_record_that_fails_goes_to_the_dead_letter_topic(write: Any, start: Any, instance: Path) -> None:
    app = start(write(FILES), "-i", str(instance), "--no-ui")
    app.produce("in", {"n": "no number"}, key="k")
    app.produce("in", {"n": 1}, key="k")
    assert numbers(app.consume("out", 1)) == [2]
    (failed,) = app.consume("failed", 1)
    assert json.loads(failed["record"]["value"]) == {"n": "no number"}


def test_a_killed_application_loses_and_repeats_nothing_on_kafka(write: Any, start: Any, instance: Path) -> None:
    directory = write(FILES)
    for round_ in range(2):
        app = start(directory, "-i", str(instance), "--no-ui")
        for n in range(25):
            app.produce("in", {"n": round_ * 25 + n}, key="k")
        app.kill()
    app = start(directory, "-i", str(instance), "--no-ui")
    app.produce("in", {"n": 50}, key="k")
    assert numbers(app.consume("out", 51, seconds=60)) == [2 * n for n in range(51)]
    assert app.stop() == 0
