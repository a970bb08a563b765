"""The same through the front door of a process of its own, on every broker."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.apps.cancellation.slow import SlowModel, files
from tests.apps.catalogue.thinking import Loop
from tests.apps.place import Place

SECONDS = 60


@pytest.fixture
def model() -> Iterator[SlowModel]:
    """The slow model, answering beside the test."""
    loop = Loop()
    model = SlowModel()
    loop.serve(model)
    yield model
    loop.close()


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_a_client_that_leaves_frees_the_model_and_its_record_is_committed(
    place: Place, write: Any, model: SlowModel
) -> None:
    app = place.run(write(files(f"{model.url}/v1")))
    with app.socket("consume", "all") as everybody:
        with app.socket("chat", "talk", **{"param:session": "s1"}) as leaving:
            leaving.send(json.dumps({"value": {"question": "slow one"}}))
            pieces = [json.loads(everybody.recv(timeout=SECONDS))["record"]]
        until(lambda: model.left_alone)
        pieces.append(json.loads(everybody.recv(timeout=SECONDS))["record"])
    assert [piece["headers"].get("stream-cancelled") for piece in pieces] == [None, "true"]
    with app.socket("chat", "talk", **{"param:session": "s2"}) as staying:
        staying.send(json.dumps({"value": {"question": "two"}}))
        frames = [json.loads(staying.recv(timeout=SECONDS)) for _ in range(4)]
    assert "".join(frame["record"]["value"] for frame in frames if "record" in frame) == "echo two"
    assert (model.questions, model.left_alone) == (["slow one", "two"], ["slow one"])
    status, metrics = app.get("/management/prometheus")
    assert status == 200
    assert re.findall(r'agent_(?:cancelled|errors|dead_letters)_total\{agent_id="chat"\} (\S+)', metrics) == [
        "0.0",
        "0.0",
        "1.0",
    ]
    until(lambda: not _lag(app.get("/management/prometheus")[1]))


def _lag(metrics: str) -> float:
    (found,) = re.findall(r'agent_lag\{agent_id="chat"\} (\S+)', metrics)
    return float(found)
