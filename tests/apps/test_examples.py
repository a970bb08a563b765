"""The examples, run and used as their README says, on every broker."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.apps.place import Place

EXAMPLES = Path(__file__).parents[2] / "examples"


def values(frames: list[dict[str, Any]]) -> list[Any]:
    return [json.loads(frame["record"]["value"]) for frame in frames]


def count(app: Any, text: str) -> Any:
    """What the word counter of `custom-processor` answers."""
    path = f"/api/gateways/service/default/{app.name}/count"
    status, answer = app.request("POST", path, {"value": text})
    assert status == 200, answer
    return json.loads(json.loads(answer)["record"]["value"])


def test_dispatch_routes_by_condition(place: Place) -> None:
    app = place.run(EXAMPLES / "dispatch/application")
    app.produce("orders", {"country": "ch", "total": 1200})
    app.produce("orders", {"country": "ch", "total": 5000, "test": True})
    app.produce("orders", {"country": "de", "total": 10})
    (review,) = values(app.consume("review", 1))
    (warehouse,) = values(app.consume("warehouse", 1))
    assert review == {"country": "ch", "total": 1200, "tax": 97.2}
    assert warehouse == {"country": "de", "total": 10, "tax": 2.0}


def test_dead_letters_are_retried_told_and_can_be_sent_back(place: Place) -> None:
    app = place.run(EXAMPLES / "dead-letters/application")
    for text in ("fine", "flaky", "broken"):
        app.produce("in", text, key="k")
    assert [frame["record"]["value"] for frame in app.consume("out", 2)] == ["fine", "flaky"]
    (dead,) = app.consume("failures", 1)
    assert dead["record"]["value"] == "broken"
    assert any("this cannot be done" in text for text in dead["record"]["headers"].values())
    app.produce("mend", dead["record"]["value"])
    assert [frame["record"]["value"] for frame in app.consume("out", 3)][2] == "fixed"


def test_the_state_of_a_custom_processor_survives_a_restart(place: Place) -> None:
    app = place.run(EXAMPLES / "custom-processor/application")
    assert count(app, "to be or not to be") == {"to": 2, "be": 2, "or": 1}
    assert app.stop() == 0
    app = place.run(EXAMPLES / "custom-processor/application")
    assert count(app, "be") == {"be": 3, "to": 2, "or": 1}


def test_a_service_agent_answers_through_the_gateway(place: Place) -> None:
    app = place.run(EXAMPLES / "service-agent/application")
    path = f"/api/gateways/service/default/{app.name}/hello"
    deadline = time.monotonic() + 30
    while (answer := app.get(f"{path}/world"))[0] in (502, 503) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert answer == (200, "Hello, world!\n")
    assert app.get(path) == (200, "Hello, you!\n")
