from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langstream.errors import Problem
from langstream.records import SimpleRecord


def test_records_are_passed_on_as_they_are(make: Callable[..., Any]) -> None:
    records = [SimpleRecord('{"a": 1}'), SimpleRecord(b"\xff"), SimpleRecord(None)]
    outcomes = make("identity").process_batch(records)
    assert [outcome[0] for outcome in outcomes] == records
    assert all(outcome[0] is record for outcome, record in zip(outcomes, records, strict=True))


def test_what_follows_does_the_work_of_both(make: Callable[..., Any]) -> None:
    following = make("drop")
    assert make("identity").fuse(following) is following
    chain = following.fuse(make("identity"))
    assert [list(outcome) for outcome in chain.process_batch([SimpleRecord("x")])] == [[]]


def test_it_has_no_options(refusals: Callable[[str, Mapping[str, Any]], list[Problem]]) -> None:
    (problem,) = refusals("identity", {"when": "true"})
    assert "'when' is unknown" in problem.message
