"""`langstream run`: from files to records, through the front door."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

PIPELINE = """
    topics:
      - {name: in, creation-mode: create-if-not-exists}
      - {name: out, creation-mode: create-if-not-exists}
    pipeline:
      - type: compute
        input: in
        output: out
        configuration: {fields: [{name: value.twice, expression: "value.n * 2"}]}
"""
GATEWAYS = """
    gateways:
      - {id: in, type: produce, topic: in}
      - {id: out, type: consume, topic: out}
"""
FILES = {"pipeline.yaml": PIPELINE, "gateways.yaml": GATEWAYS}


def values(frames: list[dict[str, Any]]) -> list[Any]:
    return [json.loads(frame["record"]["value"]) for frame in frames]


def test_records_pass_from_gateway_to_gateway(write: Any, start: Any) -> None:
    app = start(write(FILES), "--ephemeral", "--no-ui")
    for n in (1, 2):
        app.produce("in", {"n": n}, key="k")
    assert values(app.consume("out", 2)) == [{"n": 1, "twice": 2}, {"n": 2, "twice": 4}]


def test_a_stopped_application_goes_on_where_it_was(write: Any, start: Any, tmp_path: Path) -> None:
    directory = write(FILES)
    app = start(directory, "--data-dir", str(tmp_path / "data"), "--no-ui")
    app.produce("in", {"n": 1})
    assert len(app.consume("out", 1)) == 1
    assert app.stop() == 0
    app = start(directory, "--data-dir", str(tmp_path / "data"), "--no-ui")
    app.produce("in", {"n": 2})
    assert values(app.consume("out", 2)) == [{"n": 1, "twice": 2}, {"n": 2, "twice": 4}]


def test_a_killed_application_loses_and_repeats_nothing(write: Any, start: Any, tmp_path: Path) -> None:
    directory = write(FILES)
    for n in range(4):
        app = start(directory, "--data-dir", str(tmp_path / "data"), "--no-ui")
        for i in range(25):
            app.produce("in", {"n": n * 25 + i}, key="k")
        app.kill()
    app = start(directory, "--data-dir", str(tmp_path / "data"), "--no-ui")
    app.produce("in", {"n": 100}, key="k")
    assert [value["n"] for value in values(app.consume("out", 101))] == list(range(101))


def test_health_metrics_and_description_are_served(write: Any, start: Any) -> None:
    app = start(write(FILES), "--ephemeral")
    app.produce("in", {"n": 1})
    app.consume("out", 1)
    status, metrics = app.get("/management/prometheus")
    assert status == 200
    assert 'source_out_total{agent_id="pipeline-compute-1"} 1.0' in metrics
    status, text = app.get("/api/applications/default/app", port=app.control_port)
    description = json.loads(text)
    assert status == 200
    assert [node["id"] for node in description["status"]["executors"]] == ["pipeline-compute-1"]
    assert app.get("/", port=app.control_port)[1].startswith("<!doctype html>")
    assert app.get("/api/applications/default/other", port=app.control_port)[0] == 404


def test_code_changes_are_picked_up(write: Any, start: Any) -> None:
    files = {
        "pipeline.yaml": """
            topics: [{name: in, creation-mode: create-if-not-exists}, {name: out, creation-mode: create-if-not-exists}]
            pipeline: [{type: python-processor, input: in, output: out, configuration: {className: mine.Agent}}]
        """,
        "gateways.yaml": GATEWAYS,
        "python/mine.py": """
            class Agent:
                def process(self, record):
                    return [{"value": "before"}]
        """,
    }
    directory = write(files)
    app = start(directory, "--ephemeral", "--no-ui", "--watch")
    app.produce("in", "x")
    assert app.consume("out", 1)[0]["record"]["value"] == "before"
    code = directory / "python" / "mine.py"
    code.write_text(code.read_text().replace("before", "after"))
    with app.socket("consume", "out", **{"option:position": "latest"}) as socket:
        for _ in range(200):
            app.produce("in", "x")
            if json.loads(socket.recv(timeout=30))["record"]["value"] == "after":
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the change was not picked up")
    assert "code changed" in app.log.read_text()


def test_only_the_node_of_one_agent_can_be_run(write: Any, start: Any) -> None:
    two = """
        topics: [{name: in, creation-mode: create-if-not-exists}, {name: out, creation-mode: create-if-not-exists}]
        pipeline:
          - {type: compute, id: one, input: in, configuration: {fields: [{name: value.a, expression: "1"}]}}
          - {type: drop-fields, id: two, output: out, configuration: {fields: [n]}}
    """
    app = start(
        write({"pipeline.yaml": two, "gateways.yaml": GATEWAYS}), "--ephemeral", "--no-ui", "--only-agent", "two"
    )
    app.produce("in", {"n": 1})
    assert values(app.consume("out", 1)) == [{"a": 1}]
