"""`langstream run`: from files to records, through the front door, on the embedded broker and on Kafka."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.apps.place import Place

PIPELINE = """
    topics:
      - {name: in, creation-mode: create-if-not-exists, deletion-mode: delete, partitions: 2}
      - {name: out, creation-mode: create-if-not-exists, deletion-mode: delete}
      - {name: in-deadletter, creation-mode: create-if-not-exists}
    errors: {on-failure: dead-letter, retries: 0}
    pipeline:
      - type: compute
        input: in
        configuration: {fields: [{name: value.twice, expression: "value.n * 2"}]}
      - {type: drop-fields, output: out, configuration: {fields: [secret]}}
"""
GATEWAYS = """
    gateways:
      - {id: in, type: produce, topic: in}
      - {id: out, type: consume, topic: out}
      - {id: failed, type: consume, topic: in-deadletter}
"""
FILES = {"pipeline.yaml": PIPELINE, "gateways.yaml": GATEWAYS}


def values(frames: list[dict[str, Any]]) -> list[Any]:
    return [json.loads(frame["record"]["value"]) for frame in frames]


def numbers(frames: list[dict[str, Any]]) -> list[int]:
    return [value["twice"] for value in values(frames)]


def test_records_pass_from_gateway_to_gateway(write: Any, place: Place) -> None:
    app = place.run(write(FILES))
    for n in range(20):
        app.produce("in", {"n": n, "secret": "s"}, key="k", headers={"h": "é"})
    frames = app.consume("out", 20)
    assert values(frames) == [{"n": n, "twice": 2 * n} for n in range(20)]
    assert frames[0]["record"]["headers"]["h"] == "é"
    resumed = app.consume("out", 5, position=frames[14]["offset"])
    assert numbers(resumed) == [30, 32, 34, 36, 38]


def test_a_record_that_fails_goes_to_the_dead_letter_topic(write: Any, place: Place) -> None:
    app = place.run(write(FILES))
    app.produce("in", {"n": "no number"}, key="k")
    app.produce("in", {"n": 1}, key="k")
    assert numbers(app.consume("out", 1)) == [2]
    (failed,) = app.consume("failed", 1)
    assert json.loads(failed["record"]["value"]) == {"n": "no number"}


def test_a_stopped_application_goes_on_where_it_was(write: Any, place: Place) -> None:
    directory = write(FILES)
    app = place.run(directory)
    app.produce("in", {"n": 1})
    assert len(app.consume("out", 1)) == 1
    assert app.stop() == 0
    app = place.run(directory)
    app.produce("in", {"n": 2})
    assert numbers(app.consume("out", 2)) == [2, 4]


def test_a_killed_application_loses_and_repeats_nothing(write: Any, place: Place) -> None:
    directory = write(FILES)
    for round_ in range(3):
        app = place.run(directory)
        for n in range(25):
            app.produce("in", {"n": round_ * 25 + n}, key="k")
        app.kill()
    app = place.run(directory)
    app.produce("in", {"n": 75}, key="k")
    assert numbers(app.consume("out", 76)) == [2 * n for n in range(76)]
    assert app.stop() == 0


def test_health_metrics_and_description_are_served(write: Any, place: Place) -> None:
    app = place.run(write(FILES), page=True)
    app.produce("in", {"n": 1})
    app.consume("out", 1)
    status, metrics = app.get("/management/prometheus")
    assert status == 200
    assert 'source_out_total{agent_id="pipeline-compute-1"} 1.0' in metrics
    status, text = app.get(f"/api/applications/default/{app.name}", port=app.control_port)
    description = json.loads(text)
    assert status == 200
    assert [node["id"] for node in description["status"]["executors"]] == ["pipeline-compute-1"]
    assert app.get("/", port=app.control_port)[1].startswith("<!doctype html>")
    assert app.get("/api/applications/default/other", port=app.control_port)[0] == 404


def test_code_changes_are_picked_up(write: Any, place: Place) -> None:
    files = {
        "pipeline.yaml": """
            topics: [{name: in, creation-mode: create-if-not-exists}, {name: out, creation-mode: create-if-not-exists}]
            pipeline: [{type: python-processor, input: in, output: out, configuration: {className: mine.Agent}}]
        """,
        "gateways.yaml": "gateways: [{id: in, type: produce, topic: in}, {id: out, type: consume, topic: out}]",
        "python/mine.py": """
            class Agent:
                def process(self, record):
                    return [{"value": "before"}]
        """,
    }
    directory = write(files)
    app = place.run(directory, "--watch")
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


def test_only_the_node_of_one_agent_can_be_run(write: Any, place: Place) -> None:
    two = """
        topics: [{name: in, creation-mode: create-if-not-exists}, {name: out, creation-mode: create-if-not-exists}]
        pipeline:
          - {type: compute, id: one, input: in, configuration: {fields: [{name: value.a, expression: "1"}]}}
          - {type: drop-fields, id: two, output: out, configuration: {fields: [n]}}
    """
    gateways = "gateways: [{id: in, type: produce, topic: in}, {id: out, type: consume, topic: out}]"
    app = place.run(write({"pipeline.yaml": two, "gateways.yaml": gateways}), "--only-agent", "two")
    app.produce("in", {"n": 1})
    assert values(app.consume("out", 1)) == [{"a": 1}]
