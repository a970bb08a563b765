from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from langstream.errors import Problem
from langstream.records import SimpleRecord, parse_json

RECORD = SimpleRecord('{"loud": true, "text": "a"}', "k", [("h", "x")], "in", 7)


Logged = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def logged(outcome: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> Logged:
    """The level and text of the lines written, once it is sure that the record passed."""

    def lines(options: Mapping[str, Any] | None, record: SimpleRecord = RECORD) -> list[tuple[str, str]]:
        caplog.clear()
        with caplog.at_level("INFO", "langstream.agents.log-event"):
            results = outcome("log-event", options, record)
        assert len(results) == 1
        assert results[0] is record
        return [(line.levelname, line.getMessage()) for line in caplog.records]

    return lines


def test_without_options_the_whole_record_is_logged(logged: Logged) -> None:
    ((level, text),) = logged(None)
    assert level == "INFO"
    assert parse_json(text.removeprefix("record ")) == {
        "key": "k",
        "value": '{"loud": true, "text": "a"}',
        "headers": [["h", "x"]],
        "origin": "in",
        "timestamp": 7,
    }


def test_fields_come_first_and_then_the_message(logged: Logged) -> None:
    options = {
        "fields": [{"name": "t", "expression": "value.text"}, {"name": "n", "expression": "value.nothing"}],
        "message": "got {{ value.text }} of {{ key }}",
    }
    assert logged(options) == [("INFO", 'record {"t":"a","n":null}'), ("INFO", "got a of k")]


def test_only_records_for_which_the_condition_holds_are_logged(logged: Logged) -> None:
    options = {"when": "value.loud == true", "message": "m"}
    assert len(logged(options)) == 1
    assert logged(options, SimpleRecord("words")) == []


@pytest.mark.parametrize(
    "options",
    [
        {"message": "{{ value.missing }}"},
        {"fields": [{"name": "a", "expression": "value.text + 1"}]},
        {"when": "value.missing"},
    ],
)
def test_what_goes_wrong_is_logged_and_the_record_passes(logged: Logged, options: dict[str, Any]) -> None:
    ((level, text),) = logged(options)
    assert level == "WARNING"
    assert text.startswith("the record could not be logged: ")


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
