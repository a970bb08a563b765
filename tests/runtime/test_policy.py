"""Attempts, delays, dead letters and what must not be in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from langstream.application.model import Application, ErrorsSpec, OnFailure
from langstream.configuration.model import Configuration, Secret
from langstream.errors import ServiceError
from langstream.records import SimpleRecord
from langstream.runtime.policy import LONGEST_DELAY_SECONDS, Failure, Policy, Redactor
from langstream.topics.contract import TopicPartition


@given(retries=st.integers(0, 50), attempts=st.integers(1, 100))
def test_a_record_is_tried_as_often_as_the_policy_says(retries: int, attempts: int) -> None:
    delay = Policy.of(ErrorsSpec(OnFailure.SKIP, retries)).delay(attempts, ValueError())
    assert (delay is None) == (attempts >= max(1, retries))
    assert delay is None or 0 < delay <= LONGEST_DELAY_SECONDS


def test_the_delay_doubles() -> None:
    policy = Policy(100, OnFailure.FAIL)
    delays = [policy.delay(attempts, ValueError()) or 0 for attempts in (1, 3, 5)]
    assert 0.05 <= delays[0] <= 0.1 < 0.2 <= delays[1] <= 0.4 < 0.8 <= delays[2] <= 1.6


def test_a_service_that_asks_for_time_gets_it() -> None:
    error = ServiceError("busy", category="rate-limited", retry_after_seconds=42)
    assert Policy(5, OnFailure.FAIL).delay(1, error) == 42


def test_what_cannot_succeed_is_not_retried() -> None:
    assert Policy(5, OnFailure.FAIL).delay(1, ServiceError("no", category="refused")) is None


def test_secrets_are_taken_out_of_messages() -> None:
    class Options(Configuration):
        access_key: Secret

    application = Application(modules={}, resources={}, secrets={"ai": {"key": "sk-12345", "nested": {"pin": "abcd"}}})
    redact = Redactor.of(application, [Options.model_validate({"access-key": "hunter22"})])
    assert redact("401 for sk-12345 with hunter22 and abcd") == "401 for *** with *** and ***"


def test_a_dead_letter_keeps_the_record_and_tells_the_reason() -> None:
    source = SimpleRecord(b"\x00", "k", [("a", "1"), ("langstream-error-type", "Old")], "in", 7)
    failure = Failure("agent", ValueError("bad s3cret"), 2, TopicPartition("in", 3), 9)
    letter = failure.dead_letter(source, Redactor(["s3cret"]))
    assert (letter.value(), letter.key(), letter.timestamp()) == (b"\x00", "k", 7)
    headers = letter.headers()
    assert headers[0] == ("a", "1")
    assert [value for name, value in headers if name == "langstream-error-type"] == ["ValueError"]
    assert dict(headers)["langstream-error-message"] == "bad ***"
    assert dict(headers)["langstream-error-offset"] == "9"


def test_an_error_that_cannot_be_shown_is_still_reported() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert Failure("agent", Mute(), 1).message(Redactor()) == "(no message)"
