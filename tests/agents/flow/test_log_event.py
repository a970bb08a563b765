from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from langstream.errors import Problem
from langstream.records import SimpleRecord

RECORD = SimpleRecord('{"loud": true, "text": "a"}', "k", [("h", "x")], "in", 7)


def logged(outcome: Callable[..., Any], options: Mapping[str, Any] | None, record: SimpleRecord = RECORD) -> Any:
    """The lines written, once it is sure that the record passed."""
    with capture_logs() as lines:
        results = outcome("log-event", options, record)
    assert len(results) == 1
    assert results[0] is record
    return lines


def test_without_options_the_whole_record_is_logged(outcome: Callable[..., Any]) -> None:
    (line,) = logged(outcome, None)
    assert line == {
        "event": "record",
        "log_level": "info",
        "value": '{"loud": true, "text": "a"}',
        "key": "k",
        "headers": [("h", "x")],
        "origin": "in",
        "timestamp": 7,
    }


def test_fields_come_first_and_then_the_message(outcome: Callable[..., Any]) -> None:
    options = {
        "fields": [{"name": "t", "expression": "value.text"}, {"name": "n", "expression": "value.nothing"}],
        "message": "got {{ value.text }} of {{ key }}",
    }
    first, second = logged(outcome, options)
    assert first == {"event": "record", "log_level": "info", "fields": {"t": "a", "n": None}}
    assert second == {"event": "got a of k", "log_level": "info"}


def test_only_records_for_which_the_condition_holds_are_logged(outcome: Callable[..., Any]) -> None:
    options = {"when": "value.loud == true", "message": "m"}
    assert len(logged(outcome, options)) == 1
    assert logged(outcome, options, SimpleRecord("words")) == []


@pytest.mark.parametrize(
    "options",
    [
        {"message": "{{ value.missing }}"},
        {"fields": [{"name": "a", "expression": "value.text + 1"}]},
        {"when": "value.missing"},
    ],
)
def test_what_goes_wrong_is_logged_and_the_record_passes(outcome: Callable[..., Any], options: dict[str, Any]) -> None:
    (line,) = logged(outcome, options)
    assert line["log_level"] == "warning"
    assert line["reason"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"message": "{{#open}}"}, "not a valid template"),
        ({"when": "("}, "not a valid expression"),
        ({"fields": [{"name": "a", "expression": "b ("}]}, "not a valid expression"),
    ],
)
def test_what_does_not_compile_is_refused(
    refusals: Callable[[str, Mapping[str, Any]], list[Problem]], options: dict[str, Any], reason: str
) -> None:
    (problem,) = refusals("log-event", options)
    assert reason in problem.message
