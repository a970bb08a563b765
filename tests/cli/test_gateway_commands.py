"""`langstream gateway …` against a running application."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.apps.application import RunningApp
from tests.cli.terminal import langstream
from tests.servers.ports import free_port

PROTOCOLS = pytest.mark.parametrize("protocol", ["ws", "http"])


def frames(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@PROTOCOLS
def test_a_record_is_produced_and_consumed(gateway: Any, protocol: str) -> None:
    text = str(uuid.uuid4())
    sent = gateway("produce", "talking", "in", "-v", text, "-k", "k1", "--header", "a=b=c", "--protocol", protocol)
    assert (sent.status, json.loads(sent.out)) == (0, {"status": "OK", "reason": None})
    received = _until(gateway, text, protocol)
    assert received["record"]["key"] == "k1"
    assert received["record"]["headers"]["a"] == "b=c"


def _until(gateway: Any, text: str, protocol: str) -> dict[str, Any]:
    """The frame with this value, reading on from offset to offset."""
    position = "earliest"
    for _ in range(500):
        answer = gateway("consume", "talking", "out", "--position", position, "-n", "1", "--protocol", protocol)
        assert answer.status == 0, answer.err
        (frame,) = frames(answer.out)
        if frame["record"]["value"] == text:
            return frame
        position = frame["offset"]
    raise AssertionError("the record did not come")


def test_every_line_of_standard_input_is_a_record(gateway: Any) -> None:
    sent = gateway("produce", "talking", "in", "-v", "-", stdin="one\ntwo\n")
    assert (sent.status, len(frames(sent.out))) == (0, 2)


@PROTOCOLS
def test_questions_piped_into_a_chat_are_answered_one_after_the_other(gateway: Any, protocol: str) -> None:
    answer = gateway("chat", "talking", "-g", "talk", "--protocol", protocol, stdin="what?\n\nand why?\n")
    assert (answer.status, answer.out) == (0, "You said what?\nYou said and why?\n")


@PROTOCOLS
def test_a_chat_through_a_pair_of_gateways(gateway: Any, protocol: str) -> None:
    answer = gateway("chat", "talking", "-pg", "in", "-cg", "out", "--protocol", protocol, stdin="a pair\n")
    assert (answer.status, answer.out) == (0, "You said a pair\n")


def test_a_chat_needs_a_gateway_or_a_pair(gateway: Any) -> None:
    for options in ([], ["-g", "talk", "-cg", "out"], ["-pg", "in"]):
        answer = gateway("chat", "talking", *options)
        assert answer.status == 2
        assert "-g GATEWAY, or both" in answer.err


def test_a_service_between_topics_answers_with_a_record(gateway: Any) -> None:
    answer = gateway("service", "talking", "ask", "-v", "there")
    assert answer.status == 0
    assert json.loads(answer.out)["record"]["value"] == "You "


def test_a_streamed_service_answer_is_printed_as_text(gateway: Any) -> None:
    answer = gateway("service", "talking", "ask", "-v", "there", "--stream")
    assert (answer.status, answer.out) == (0, "You said there\n")


def test_a_service_between_topics_takes_no_method(gateway: Any) -> None:
    answer = gateway("service", "talking", "ask", "-v", "x", "--method", "PUT")
    assert answer.status == 2
    assert "service agent" in answer.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["produce", "talking", "inn", "-v", "x"],
            "application talking has no produce gateway inn. Did you mean 'in'?",
        ),
        (
            ["produce", "talking", "out", "-v", "x"],
            "gateway out is a consume gateway: use `langstream gateway consume`",
        ),
        (["produce", "taking", "in", "-v", "x"], "knows no application taking. Did you mean 'talking'?"),
        (["produce", "talking", "in", "-v", "x", "-p", "a=b"], "gateway in has no parameter a. Parameters: none."),
        (["chat", "talking", "-g", "talk", "-p", "sesion-id=1"], "no parameter sesion-id. Did you mean 'session-id'?"),
        (["chat", "talking", "-g", "talk", "-p", "session-id="], "needs the parameter session-id: -p session-id=…"),
        (["consume", "talking", "locked"], "gateway locked needs credentials (provider http): give them with -c"),
        (["consume", "talking", "out", "--position", "x"], "expected `latest`, `earliest` or an offset"),
        (["consume", "talking", "locked", "-tc", "nonsense"], "the gateway refused (401)"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(gateway: Any, arguments: list[str], told: str) -> None:
    answer = gateway(*arguments)
    assert answer.status == 1
    assert told in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert answer.out == ""


def test_test_credentials_are_judged_by_the_test_provider(gateway: Any, app: RunningApp) -> None:
    import jwt

    token = jwt.encode({"sub": "tester"}, "a secret of at least thirty-two bytes", algorithm="HS256")
    gateway("produce", "talking", "in", "-v", "x")
    answer = gateway("consume", "talking", "locked", "-tc", token, "--position", "earliest", "-n", "1")
    assert answer.status == 0, answer.err
    assert token not in answer.err


def test_without_a_control_plane_the_gateway_tells_what_is_wrong(gateway: Any) -> None:
    answer = gateway("chat", "talking", "-g", "talk", stdin="x\n", control=False)
    assert answer.status == 1
    assert "missing required parameter session-id" in answer.err
    answer = gateway("produce", "talking", "nothing", "-v", "x", "--protocol", "http", control=False)
    assert answer.status == 1
    assert "(404)" in answer.err


def test_both_kinds_of_credentials_are_wrong_usage(gateway: Any) -> None:
    answer = gateway("consume", "talking", "locked", "-c", "one", "-tc", "two")
    assert answer.status == 2
    assert "not both" in answer.err


def test_nothing_to_produce_is_wrong_usage(gateway: Any) -> None:
    assert gateway("produce", "talking", "in").status == 2


@PROTOCOLS
def test_a_gateway_that_is_away_is_told_with_its_address(protocol: str) -> None:
    url = f"ws://127.0.0.1:{free_port()}"
    answer = langstream("gateway", "produce", "talking", "in", "-v", "x", "--url", url, "--protocol", protocol)
    assert answer.status == 1
    assert "cannot be reached: connection refused. Is the application running?" in answer.err
    assert len(answer.err.strip().splitlines()) == 1
