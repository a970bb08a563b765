from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langstream.errors import Problem, RecordError
from langstream.expressions import ExpressionError
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext


def test_without_a_condition_everything_is_dropped(outcome: Callable[..., Any]) -> None:
    assert list(outcome("drop", None, SimpleRecord("x"))) == []


def test_records_are_dropped_for_which_the_condition_holds(make: Callable[..., Any]) -> None:
    records = [SimpleRecord('{"a": 1}'), SimpleRecord('{"a": 2}'), SimpleRecord("plain")]
    outcomes = make("drop", {"when": "value.a == 1"}).process_batch(records)
    assert [list(results) for results in outcomes] == [[], [records[1]], [records[2]]]


def test_a_null_condition_fails_the_record(outcome: Callable[..., Any]) -> None:
    failure = outcome("drop", {"when": "value.missing"}, SimpleRecord('{"b": 1}'))
    assert isinstance(failure, RecordError)
    assert isinstance(failure.__cause__, ExpressionError)
    assert failure.retryable is False


def test_a_failing_record_does_not_affect_its_neighbours(make: Callable[..., Any]) -> None:
    records = [SimpleRecord('{"a": true}'), SimpleRecord("{}"), SimpleRecord('{"a": false}')]
    first, second, third = make("drop", {"when": "value.a"}).process_batch(records)
    assert list(first) == []
    assert isinstance(second, RecordError)
    assert list(third) == [records[2]]


async def test_an_error_names_the_agent(make: Callable[..., Any]) -> None:
    processor = make("drop", {"when": "value.a"})
    await processor.start(AgentContext(agent_id="sieve", application_id="app"))
    (failure,) = processor.process_batch([SimpleRecord("{}")])
    assert str(failure).startswith("sieve (drop): ")


def test_an_unknown_option_is_refused(refusals: Callable[[str, Mapping[str, Any]], list[Problem]]) -> None:
    (problem,) = refusals("drop", {"bogus": 1})
    assert "'bogus' is unknown" in problem.message


def test_a_broken_condition_is_refused(refusals: Callable[[str, Mapping[str, Any]], list[Problem]]) -> None:
    (problem,) = refusals("drop", {"when": "bad ("})
    assert "'when'" in problem.message
    assert "bad (" in problem.message
