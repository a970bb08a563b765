"""Failures of AI services are told apart, quote the server, and keep its keys to themselves."""

from __future__ import annotations

import orjson
import pytest

from langstream.services.ai.failures import place, refused, reported, scrubbed

URL = "https://user:word@ai.example:8443/v1/chat/completions?api-version=1"


@pytest.mark.parametrize(
    ("status", "code", "category"),
    [
        (400, "invalid_request_error", "refused"),
        (401, "invalid_api_key", "authentication"),
        (403, "", "authentication"),
        (404, "model_not_found", "not-found"),
        (408, "", "transient"),
        (409, "", "transient"),
        (413, "", "too-long"),
        (422, "", "refused"),
        (429, "rate_limit_exceeded", "rate-limited"),
        (429, "insufficient_quota", "exhausted"),
        (400, "context_length_exceeded", "too-long"),
        (400, "content_filter", "content-filtered"),
        (500, "", "transient"),
        (503, "", "transient"),
        (529, "", "transient"),
    ],
)
def test_status_and_code_decide_on_the_category(status: int, code: str, category: str) -> None:
    body = orjson.dumps({"error": {"message": "no", "code": code}})
    assert refused(status, {}, body, URL, ()).category == category


def test_the_server_is_quoted() -> None:
    body = b'{"error": {"message": "The model `m` does not exist", "type": "invalid_request_error"}}'
    error = refused(404, {}, body, URL, ())
    assert str(error) == (
        "the AI service at https://ai.example:8443/v1/chat/completions answered 404: The model `m` does not exist "
        "Check `model` of the agent and `url` of the resource."
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "just text"}', "just text"),
        (b'{"message": "on top"}', "on top"),
        (b'{"detail": [{"msg": "field required"}]}', "field required"),
        (b"<html>\n<h1>Bad gateway</h1></html>", "<h1>Bad gateway</h1>"),
        (b"", "without a message"),
        (b'["odd"]', "odd"),
    ],
)
def test_messages_of_any_shape_are_found(body: bytes, words: str) -> None:
    assert words in str(refused(502, {}, body, URL, ()))


def test_long_messages_are_shortened() -> None:
    assert len(str(refused(500, {}, b"x" * 100_000, URL, ()))) < 800


def test_only_passing_failures_carry_the_wait_that_was_asked_for() -> None:
    assert refused(429, {"retry-after": "5"}, b"", URL, ()).retry_after_seconds == 5
    assert refused(400, {"retry-after": "5"}, b"", URL, ()).retry_after_seconds is None


def test_keys_are_kept_out_of_messages() -> None:
    body = b'{"error": {"message": "Incorrect key provided: my-own-secret, also sk-proj-abcdef123456; Bearer qwertz"}}'
    text = str(refused(401, {}, body, URL, ("my-own-secret",)))
    assert "my-own-secret" not in text
    assert "abcdef123456" not in text
    assert "qwertz" not in text


def test_addresses_lose_credentials_and_query() -> None:
    assert place(URL) == "https://ai.example:8443/v1/chat/completions"
    assert place("http://[::1]:80/x") == "http://[::1]:80/x"


def test_an_empty_secret_changes_nothing() -> None:
    assert scrubbed("plain words", ("",)) == "plain words"


@pytest.mark.parametrize(
    ("error", "category"),
    [
        ({"message": "overloaded", "type": "server_error"}, "transient"),
        ({"message": "slow down", "code": "rate_limit_exceeded"}, "rate-limited"),
        ({"message": "bad", "code": 400}, "refused"),
        ({"message": "bad", "type": "invalid_request_error"}, "refused"),
        ("words only", "transient"),
    ],
)
def test_errors_inside_answers_are_told_apart_too(error: object, category: str) -> None:
    assert reported(error, URL, ()).category == category
