"""When a service is left alone, and when it is tried again."""

from __future__ import annotations

import pytest

from langstream.errors import ServiceError
from langstream.services.ai.circuit import Circuit

AWAY = ServiceError("away")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_opens_after_failures_in_a_row(clock: Clock) -> None:
    circuit = Circuit(3, 30, clock)
    for _ in range(2):
        circuit.failed(AWAY)
    circuit.succeeded()
    for _ in range(2):
        circuit.failed(AWAY)
    assert circuit.admits()
    circuit.failed(AWAY)
    assert not circuit.admits()


def test_one_call_tries_after_the_pause(clock: Clock) -> None:
    circuit = Circuit(1, 30, clock)
    circuit.failed(AWAY)
    clock.now += 29
    assert not circuit.admits()
    clock.now += 1
    assert [circuit.admits(), circuit.admits()] == [True, False]
    circuit.succeeded()
    assert [circuit.admits(), circuit.admits()] == [True, True]


def test_a_trial_that_fails_begins_another_pause(clock: Clock) -> None:
    circuit = Circuit(5, 30, clock)
    for _ in range(5):
        circuit.failed(AWAY)
    clock.now += 30
    assert circuit.admits()
    circuit.failed(AWAY)
    clock.now += 29
    assert not circuit.admits()
    clock.now += 1
    assert circuit.admits()


def test_a_trial_that_nobody_waited_for_is_made_again(clock: Clock) -> None:
    circuit = Circuit(1, 30, clock)
    circuit.failed(AWAY)
    clock.now += 30
    assert circuit.admits()
    circuit.abandoned()
    assert circuit.admits()


@pytest.mark.parametrize("category", ["too-long", "content-filtered", "refused"])
def test_a_question_that_was_refused_shows_that_the_service_is_there(clock: Clock, category: str) -> None:
    circuit = Circuit(2, 30, clock)
    circuit.failed(AWAY)
    circuit.failed(ServiceError("no", category=category))
    circuit.failed(AWAY)
    assert circuit.admits()


def test_it_waits_as_long_as_the_service_asks(clock: Clock) -> None:
    circuit = Circuit(5, 30, clock)
    circuit.failed(ServiceError("slow down", category="rate-limited", retry_after_seconds=90))
    clock.now += 89
    assert not circuit.admits()
    clock.now += 1
    assert circuit.admits()
