from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from langstream.errors import Problem, RecordError
from langstream.records import Dispatched, SimpleRecord

Outcome = Callable[..., Any]


def trigger(*fields: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"destination": "events", "fields": [{"name": n, "expression": e} for n, e in fields], **more}


def event_of(outcome: Outcome, options: dict[str, Any], record: SimpleRecord) -> SimpleRecord:
    event, passed = outcome("trigger-event", options, record)
    assert type(event) is Dispatched
    assert event.destination == "events"
    assert passed is record
    return event


def test_a_changed_copy_is_the_event_and_the_record_goes_on(outcome: Outcome) -> None:
    record = SimpleRecord('{"place": "pier"}', "k", [("h", "1")], "in", 7)
    options = trigger(("value.kind", "'seen'"), ("properties.at", "value.place"))
    event = event_of(outcome, options, record)
    assert event == SimpleRecord('{"place":"pier","kind":"seen"}', "k", [("h", "1"), ("at", "pier")], "in", 7)


def test_without_fields_the_event_is_the_record(outcome: Outcome) -> None:
    record = SimpleRecord(b"\xff", b"\x00", [("h", b"1")])
    assert event_of(outcome, trigger(), record) == record


def test_fields_are_all_computed_before_any_is_set_in_their_order(outcome: Outcome) -> None:
    options = trigger(("value", "fn:mapOf('was', value.a)"), ("value.then", "value.a"), ("key", "value.a"))
    assert event_of(outcome, options, SimpleRecord('{"a":1}', "k")) == SimpleRecord({"was": 1, "then": 1}, 1)


def test_dates_in_objects_are_numbers_and_alone_they_are_dates(outcome: Outcome) -> None:
    moment = "fn:timestampAdd('2024-01-02T03:04:05Z', 0, 'millis')"
    event = event_of(outcome, trigger(("value.at", moment), ("properties.at", moment)), SimpleRecord("{}"))
    assert event == SimpleRecord('{"at":1704164645000}', None, [("at", "2024-01-02T03:04:05Z")])
    whole = event_of(outcome, trigger(("value", moment)), SimpleRecord("{}"))
    assert whole.value() == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_message_key_is_the_key_of_the_event(outcome: Outcome) -> None:
    assert event_of(outcome, trigger(("messageKey", "value.id")), SimpleRecord('{"id":7}', "k")).key() == "7"


@pytest.mark.parametrize("stop", [True, False])
def test_records_without_an_event_always_go_on(outcome: Outcome, stop: bool) -> None:
    record = SimpleRecord('{"temp": 20}')
    options = trigger(when="value.temp > 30", **{"continue-processing": not stop})
    assert outcome("trigger-event", options, record) == (record,)


def test_a_record_can_end_with_its_event(outcome: Outcome) -> None:
    options = trigger(("value", "'RESET'"), **{"continue-processing": False})
    (event,) = outcome("trigger-event", options, SimpleRecord("ignored"))
    assert type(event) is Dispatched
    assert event.value() == "RESET"


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (("value.x", "1"), "text", "not structured"),
        (("value.x", "1"), None, "not structured"),
        (("properties.x", "value.missing"), "{}", "null"),
        (("value.x", "nowhere"), "{}", "nowhere"),
    ],
)
def test_an_event_that_cannot_be_made_fails_the_record(
    outcome: Outcome, field: tuple[str, str], value: Any, reason: str
) -> None:
    failure = outcome("trigger-event", trigger(field), SimpleRecord(value))
    assert isinstance(failure, RecordError)
    assert field[0] in str(failure)
    assert reason in str(failure)


def test_a_record_that_fails_later_leaves_no_event(make: Callable[..., Any]) -> None:
    failing = make("compute", {"fields": [{"name": "value.x", "expression": "value.n + 1"}]})
    chain = make("trigger-event", trigger()).fuse(failing)
    fine, broken = chain.process_batch([SimpleRecord('{"n":1}'), SimpleRecord('{"n":"x"}')])
    assert [type(result) for result in fine] == [Dispatched, SimpleRecord]
    assert isinstance(broken, RecordError)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "'destination' is required"),
        ({"destination": "t", "when": "value.x >"}, "value.x >"),
        (trigger(("foo", "1")), "'foo' is not a place for a result"),
        (trigger(("destinationTopic", "'t'")), "chosen by the agent's own options"),
        ({"destination": "t", "fields": [{"name": "value"}]}, "expression' is required"),
        ({"destination": ""}, "'destination'"),
    ],
)
def test_wrong_options_are_refused(
    refusals: Callable[[str, Mapping[str, Any]], list[Problem]], options: dict[str, Any], reason: str
) -> None:
    (problem,) = refusals("trigger-event", options)
    assert reason in problem.message
