"""`langstream run` with its topics on a real Pulsar, through the front door."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.apps.application import RunningApp

FILES = {
    "pipeline.yaml": """
        topics:
          - {name: in, creation-mode: create-if-not-exists, deletion-mode: delete, partitions: 2}
          - {name: out, creation-mode: create-if-not-exists, deletion-mode: delete}
          - {name: in-deadletter, creation-mode: create-if-not-exists}
        errors: {on-failure: dead-letter, retries: 0}
        pipeline:
          - type: compute
            input: in
            resources: {parallelism: 2}
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
def application(tmp_path: Path) -> Path:
    """The files."""
    directory = tmp_path / "application"
    directory.mkdir()
    for name, text in FILES.items():
        (directory / name).write_text(dedent(text), encoding="utf-8")
    return directory


def numbers(frames: list[dict[str, Any]]) -> list[int]:
    return [json.loads(frame["record"]["value"])["twice"] for frame in frames]


def test_records_pass_from_gateway_to_gateway_and_a_killed_application_loses_none(
    application: Path, instance: Path, tmp_path: Path
) -> None:
    options = ("-i", str(instance), "--no-ui")
    app = RunningApp(application, *options, log=tmp_path / "run.log")
    try:
        for n in range(20):
            app.produce("in", {"n": n, "secret": "s"}, key="k", headers={"h": "é"})
        app.produce("in", {"n": "no number"}, key="k")
        frames = app.consume("out", 20, seconds=60)
        assert numbers(frames) == [2 * n for n in range(20)]
        assert frames[0]["record"]["headers"]["h"] == "é"
        resumed = app.consume("out", 5, position=frames[14]["offset"], seconds=60)
        assert numbers(resumed) == [30, 32, 34, 36, 38]
        (failed,) = app.consume("failed", 1, seconds=60)
        assert json.loads(failed["record"]["value"])["n"] == "no number"
        for n in range(20, 40):
            app.produce("in", {"n": n}, key="k")
        app.kill()
        app = RunningApp(application, *options, log=tmp_path / "run.log")
        app.produce("in", {"n": 40}, key="k")
        seen: list[int] = []
        with app.socket("consume", "out", **{"option:position": "earliest"}) as socket:
            while 80 not in seen:
                seen += numbers([json.loads(socket.recv(timeout=60))])
        assert list(dict.fromkeys(seen)) == [2 * n for n in range(41)], "records are lost, or out of order"
    finally:
        app.kill()
