"""Gateways: options by type, references inside the application, headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langstream.application.model import Gateway, GatewayType, HeaderRule

if TYPE_CHECKING:
    from tests.application.conftest import Load

PIPELINE = {"pipeline.yaml": "topics: [{name: a}, {name: b}]"}
AUTHENTICATION = "authentication: {provider: jwt, configuration: {secretKey: hush}}"


def gateway(load: Load, text: str) -> Gateway:
    loaded = load(
        {**PIPELINE, "gateways.yaml": f"gateways:\n- {{{text}}}"}, instance="instance: {globals: {t: a, q: b}}"
    )
    assert [str(problem) for problem in loaded.problems] == []
    return loaded.application.gateways[0]


def refusals(load: Load, text: str) -> list[str]:
    loaded = load({**PIPELINE, "gateways.yaml": f"gateways:\n- {{{text}}}"})
    return [str(problem) for problem in loaded.problems]


def test_a_produce_gateway(load: Load) -> None:
    found = gateway(
        load,
        "id: g, type: produce, topic: a, parameters: [p], produce-options: {headers: [{key: h, value: x}, "
        "{value-from-parameters: p}]}",
    )
    assert (found.id, found.type, found.topic, found.parameters) == ("g", GatewayType.PRODUCE, "a", ("p",))
    assert found.headers == (HeaderRule("h", value="x"), HeaderRule("p", value_from_parameters="p"))


def test_without_parameters_there_are_none_rather_than_an_empty_list(load: Load) -> None:
    assert gateway(load, "id: g, type: consume, topic: a").parameters is None


def test_a_consume_gateway_filters_and_spellings_in_camel_case_are_known(load: Load) -> None:
    found = gateway(
        load,
        f"id: g, type: consume, topic: a, {AUTHENTICATION}, "
        "consumeOptions: {filters: {headers: [{key: u, valueFromAuthentication: sub}]}}",
    )
    assert found.filters == (HeaderRule("u", value_from_authentication="sub"),)


def test_placeholders_in_the_options_of_a_chat_gateway_are_resolved(load: Load) -> None:
    found = gateway(
        load,
        "id: g, type: chat, chat-options: {questions-topic: '${globals.q}', answers-topic: '${globals.t}', "
        "headers: [{value-from-parameters: session}]}",
    )
    assert found.chat is not None
    assert (found.chat.questions_topic, found.chat.answers_topic) == ("b", "a")
    assert found.chat.headers == (HeaderRule("session", value_from_parameters="session"),)


def test_topics_may_be_placeholders(load: Load) -> None:
    found = gateway(load, "id: g, type: produce, topic: '${globals.t}', events-topic: '${globals.q}'")
    assert (found.topic, found.events_topic) == ("a", "b")


def test_a_service_gateway_of_topics_has_a_limit_of_time(load: Load) -> None:
    found = gateway(
        load, "id: g, type: service, service-options: {input-topic: a, output-topic: b, timeout-seconds: 5}"
    )
    assert found.service is not None
    assert found.service.timeout_seconds == 5.0
    assert gateway(load, "id: g, type: service, service-options: {agent-id: s}").service is not None


@pytest.mark.parametrize(("written", "seconds"), [("0", 0.0), ("2.5", 2.5), ("'30'", 30.0), ("'${globals.n}'", 7.0)])
def test_gateways_that_ask_cancel_after_an_absence(load: Load, written: str, seconds: float) -> None:
    after = f"cancel-after-seconds: {written}"
    headers = "headers: [{value-from-parameters: session}]"
    texts = (
        f"type: chat, chat-options: {{questions-topic: a, answers-topic: b, {after}, {headers}}}",
        f"type: service, service-options: {{input-topic: a, output-topic: b, {after}}}",
    )
    for text in texts:
        files = {**PIPELINE, "gateways.yaml": f"gateways:\n- {{id: g, {text}}}"}
        loaded = load(files, instance="instance: {globals: {n: 7}}")
        assert [str(problem) for problem in loaded.problems] == []
        (found,) = loaded.application.gateways
        assert (found.cancel_after_seconds, found.answers_topic) == (seconds, "b")


def test_gateways_that_are_not_told_to_never_cancel(load: Load) -> None:
    for text in (
        "id: g, type: chat, chat-options: {questions-topic: a, answers-topic: b}",
        "id: g, type: service, service-options: {input-topic: a, output-topic: b}",
        "id: g, type: produce, topic: a",
    ):
        assert gateway(load, text).cancel_after_seconds is None


SERVICE = "id: g, type: service, service-options: {input-topic: a, output-topic: b, cancel-after-seconds: SECONDS}"
CHAT = "id: g, type: chat, chat-options: {questions-topic: a, answers-topic: b, cancel-after-seconds: 0"


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (CHAT + "}", ["needs a header by which the answers of one client", "value-from-parameters: session-id"]),
        (CHAT + ", headers: [{key: h, value: x}]}", ["needs a header", "Add one to headers"]),
        (
            "id: g, type: service, service-options: {agent-id: s, cancel-after-seconds: 0}",
            ["both 'agent-id' and 'cancel-after-seconds'", "closed as soon as the client has left"],
        ),
        ("id: g, type: produce, topic: a, produce-options: {cancel-after-seconds: 0}", ["cancel-after-seconds"]),
        *(
            (
                SERVICE.replace("SECONDS", n),
                ["'cancel-after-seconds' of service-options of gateway 'g' must be a number from 0 (at once) to 3600"],
            )
            for n in ("-1", "3601", "soon", "true", "[]", ".nan", ".inf")
        ),
    ],
)
def test_absences_that_cannot_be_are_refused(load: Load, text: str, fragments: list[str]) -> None:
    (refusal,) = refusals(load, text)
    assert "gateways.yaml" in refusal
    for fragment in fragments:
        assert fragment in refusal


def test_test_mode_is_allowed_unless_forbidden(load: Load) -> None:
    allowed = gateway(load, f"id: g, type: produce, topic: a, {AUTHENTICATION}").authentication
    assert allowed is not None
    assert allowed.allow_test_mode is True
    forbidden = gateway(
        load, "id: g, type: produce, topic: a, authentication: {provider: jwt, allow-test-mode: false}"
    ).authentication
    assert forbidden is not None
    assert forbidden.allow_test_mode is False


def test_settings_of_the_provider_are_never_shown(load: Load) -> None:
    found = gateway(load, f"id: g, type: produce, topic: a, {AUTHENTICATION}")
    assert found.definition["authentication"] == {"provider": "jwt"}
    assert "hush" not in repr(found)


def test_gateways_of_one_id_need_different_types(load: Load) -> None:
    one, two = "{id: g, type: produce, topic: a}", "{id: g, type: consume, topic: a}"
    fine = load({**PIPELINE, "gateways.yaml": f"gateways: [{one}, {two}]"})
    assert len(fine.application.gateways) == 2
    assert fine.problems == ()
    twice = load({**PIPELINE, "gateways.yaml": f"gateways: [{one}, {one}]"})
    assert "Produce gateway 'g' is declared twice" in str(twice.problems[0])


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("type: produce, topic: a", ["'id' of gateway is required"]),
        ("id: g, topic: a", ["'type' of gateway 'g' is required", "produce, consume, chat, service"]),
        ("id: g, type: consumer, topic: a", ["'consumer'", "Did you mean 'consume'?"]),
        ("id: g, type: produce", ["'topic' of gateway 'g' is required"]),
        ("id: g, type: produce, topic: nowhere", ["'nowhere'", "Declared topics: a, b."]),
        ("id: g, type: produce, topic: a, events-topic: x", ["'events-topic' of gateway 'g' names topic 'x'"]),
        ("id: g, type: produce, topic: a, tpoic: b", ["Did you mean 'topic'?"]),
        ("id: g, type: consume, topic: a, produce-options: {headers: []}", ["cannot have 'produce-options'"]),
        ("id: g, type: chat", ["'chat-options' of gateway 'g' is required"]),
        ("id: g, type: chat, chat-options: {questions-topic: a}", ["'answers-topic'"]),
        (
            "id: g, type: chat, topic: a, chat-options: {questions-topic: a, answers-topic: b}",
            ["cannot have a 'topic'"],
        ),
        ("id: g, type: service", ["'service-options' of gateway 'g' is required"]),
        ("id: g, type: service, service-options: {input-topic: a}", ["'output-topic'"]),
        ("id: g, type: service, service-options: {agent-id: s, input-topic: a}", ["both 'agent-id' and 'input-topic'"]),
        ("id: g, type: service, service-options: {agent-id: s, timeout-seconds: 0}", ["'timeout-seconds'"]),
        ("id: g, type: produce, topic: a, produce-options: {headers: [{key: h}]}", ["exactly one of", "not none"]),
        (
            (
                "id: g, type: produce, topic: a, parameters: [p], "
                "produce-options: {headers: [{value: x, value-from-parameters: p}]}"
            ),
            ["exactly one of", "'value' and 'value-from-parameters'"],
        ),
        (
            "id: g, type: consume, topic: a, consume-options: {filters: {headers: [{key: h, value: ' '}]}}",
            ["'value' of header 'h'", "is empty"],
        ),
        (
            (
                "id: g, type: produce, topic: a, parameters: [user], "
                "produce-options: {headers: [{value-from-parameters: usr}]}"
            ),
            ["parameter 'usr', which is not declared", "Did you mean 'user'?"],
        ),
        (
            "id: g, type: produce, topic: a, produce-options: {headers: [{value-from-authentication: sub}]}",
            ["the gateway has no 'authentication'"],
        ),
        ("id: g, type: produce, topic: a, authentication: {provider: jwtt}", ["unknown provider 'jwtt'", "'jwt'"]),
        ("id: g, type: produce, topic: a, authentication: {configuration: {}}", ["'provider' of authentication"]),
        ("id: g, type: produce, topic: a, parameters: {p: 1}", ["'parameters' of gateway 'g' must be a list"]),
    ],
)
def test_what_is_refused(load: Load, text: str, fragments: list[str]) -> None:
    found = refusals(load, text)
    assert found
    assert found[0].startswith("gateways.yaml:2:")
    for fragment in fragments:
        assert any(fragment in message for message in found), found
