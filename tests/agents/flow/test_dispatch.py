from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from langstream.agents.declaration import AGENT_TYPES
from langstream.configuration.model import field_kinds
from langstream.errors import Problem, RecordError
from langstream.records import Dispatched, SimpleRecord

Outcome = Callable[..., Any]

ROUTES = {
    "routes": [
        {"when": "value.points > 100", "destination": "gold"},
        {"when": "value.points > 50", "destination": "silver", "action": "dispatch"},
        {"when": "properties.level == 'debug'", "action": "drop"},
    ]
}


@pytest.mark.parametrize(("points", "destination"), [(120, "gold"), (60, "silver")])
def test_a_record_goes_where_the_first_fitting_route_says(outcome: Outcome, points: int, destination: str) -> None:
    record = SimpleRecord(f'{{"points": {points}.50}}', "k", [("h", b"1"), ("h", 2)], "in", 7)
    (dispatched,) = outcome("dispatch", ROUTES, record)
    assert type(dispatched) is Dispatched
    assert dispatched.destination == destination
    assert dispatched == record


def test_a_dropping_route_ends_the_record(outcome: Outcome) -> None:
    assert list(outcome("dispatch", ROUTES, SimpleRecord('{"points":1}', None, [("level", "debug")]))) == []


@pytest.mark.parametrize("value", ['{"points": 10}', '{"name": "d"}', '{"points": 50}'])
def test_other_records_go_on_as_they_are(outcome: Outcome, value: str) -> None:
    record = SimpleRecord(value)
    assert outcome("dispatch", ROUTES, record)[0] is record


def test_without_routes_everything_goes_on(outcome: Outcome) -> None:
    record = SimpleRecord("x")
    assert outcome("dispatch", None, record)[0] is record


def test_a_condition_that_cannot_be_evaluated_fails_the_record(outcome: Outcome) -> None:
    failure = outcome("dispatch", {"routes": [{"when": "value.flag", "destination": "t"}]}, SimpleRecord("{}"))
    assert isinstance(failure, RecordError)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"when": "true"}, "needs a destination"),
    ({"when": "true", "action": "dispatch", "destination": ""}, "needs a destination"),
    ({"when": "true", "action": "drop", "destination": "t"}, "the action 'drop' cannot have a destination"),
    ({"when": "true", "action": "nope", "destination": "t"}, "'dispatch' or 'drop'"),
    ({"destination": "t"}, "when' is required"),
    ({"when": "value.x >", "destination": "t"}, "value.x >"),
    ({"when": "true", "destination": "t", "to": "u"}, "to' is unknown"),
]


@pytest.mark.parametrize(("route", "reason"), REFUSED)
def test_wrong_routes_are_refused(
    refusals: Callable[[str, Mapping[str, Any]], list[Problem]], route: dict[str, Any], reason: str
) -> None:
    (problem,) = refusals("dispatch", {"routes": [route]})
    assert reason in problem.message


def test_destinations_are_declared_as_topics() -> None:
    route = AGENT_TYPES.load("dispatch").configuration.model_fields["routes"].annotation.__args__[0]
    assert [name for _, name, kind in field_kinds(route) if kind.name == "topic"] == ["destination"]
    trigger = AGENT_TYPES.load("trigger-event").configuration
    assert [name for _, name, kind in field_kinds(trigger) if kind.name == "topic"] == ["destination"]
