"""Several services in order: who is asked when, and when nobody is asked any more."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import pytest

from langstream.agents.ai.chat_completions import AGENT
from langstream.agents.ai.reference import check_fallback
from langstream.agents.declaration import PlanContext
from langstream.application.model import Agent, Module, Resource
from langstream.errors import ServiceError
from langstream.records import SimpleRecord
from langstream.services.ai.contract import Chunk

Bench: TypeAlias = Any

RECORD = SimpleRecord('{"q":"x"}', "k")
CONFIGURATION: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hello"}],
    "completion-field": "value.answer",
    "options": {"seed": 1},
    "fallback": [{"ai-service": "second", "model": "m2"}, {"ai-service": "third", "options": {"seed": 3}}],
}


def failing(category: str = "transient", after: str = "", wait: float | None = None) -> list[Chunk | Exception]:
    error = ServiceError(f"{category}!", category=category, retry_after_seconds=wait)
    return [Chunk(after, "id"), error] if after else [error]


async def ask(agent: Any) -> Any:
    (outcome,) = await agent.process_batch([RECORD])
    return outcome


def answer_of(outcome: Any) -> Any:
    return json.loads(outcome[0].value())["answer"]


async def test_the_first_service_is_asked_as_long_as_it_answers(bench: Bench) -> None:
    agent = await bench.start(AGENT, CONFIGURATION)
    await ask(agent)
    assert bench.service.models == ["m"]
    assert bench.second.calls == bench.third.calls == []
    assert agent.info()["fallback"] == ["second", "third"]


@pytest.mark.parametrize(
    "category", ["transient", "rate-limited", "exhausted", "authentication", "not-found", "malformed"]
)
async def test_the_next_one_is_asked_when_it_is_the_service_that_fails(bench: Bench, category: str) -> None:
    bench.service.script = [failing(category)]
    assert answer_of(await ask(await bench.start(AGENT, CONFIGURATION))) == "echo(hello)"
    assert bench.second.models == ["m2"]
    assert bench.second.options[0].extra == {"seed": 1}
    assert bench.third.calls == []
    assert bench.metrics.values["ai_fallbacks"] == 1


@pytest.mark.parametrize("category", ["too-long", "content-filtered", "refused"])
async def test_a_question_that_is_refused_is_not_passed_on(bench: Bench, category: str) -> None:
    bench.service.script = [failing(category)]
    outcome = await ask(await bench.start(AGENT, CONFIGURATION))
    assert isinstance(outcome, ServiceError)
    assert outcome.category == category
    assert bench.second.calls == []


async def test_it_is_passed_on_if_the_agent_says_so(bench: Bench) -> None:
    bench.service.script = [failing("too-long")]
    outcome = await ask(await bench.start(AGENT, {**CONFIGURATION, "fallback-on": "too-long"}))
    assert answer_of(outcome) == "echo(hello)"
    assert len(bench.second.calls) == 1


async def test_options_of_an_entry_take_the_place_of_the_agents(bench: Bench) -> None:
    bench.service.script, bench.second.script = [failing()], [failing()]
    await ask(await bench.start(AGENT, CONFIGURATION))
    assert bench.third.models == ["m"]
    assert bench.third.options[0].extra == {"seed": 3}


async def test_the_failure_of_all_tells_of_each(bench: Bench) -> None:
    bench.service.script = [failing("authentication")]
    bench.second.script = [failing("rate-limited", wait=7)]
    bench.third.script = [failing("not-found")]
    error = await ask(await bench.start(AGENT, CONFIGURATION))
    assert isinstance(error, ServiceError)
    assert (error.category, error.retry_after_seconds) == ("rate-limited", 7)
    assert "brain/m: authentication!; second/m2: rate-limited!; third/m: not-found!" in str(error)


async def test_a_service_that_keeps_failing_is_left_alone(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.service.script = [failing() for _ in range(9)]
    circuit = {"failures": 2, "pause-seconds": 1000}
    agent = await bench.start(AGENT, {**CONFIGURATION, "circuit": circuit})
    for _ in range(5):
        assert answer_of(await ask(agent)) == "echo(hello)"
    assert len(bench.service.calls) == 2
    assert caplog.text.count("brain/m is left alone") == 1


async def test_replicas_learn_of_it_from_one_another(bench: Bench) -> None:
    bench.service.script = [failing() for _ in range(9)]
    configuration = {**CONFIGURATION, "circuit": {"failures": 1, "pause-seconds": 1000}}
    one, other = await bench.start(AGENT, configuration), await bench.start(AGENT, configuration)
    await ask(one)
    await ask(other)
    assert len(bench.service.calls) == 1


async def test_a_service_that_says_when_to_come_back_is_left_alone_until_then(bench: Bench) -> None:
    bench.service.script = [failing("rate-limited", wait=1000)]
    agent = await bench.start(AGENT, CONFIGURATION)
    await ask(agent)
    await ask(agent)
    assert len(bench.service.calls) == 1
    assert len(bench.second.calls) == 2


async def test_services_left_alone_are_asked_before_the_record_fails(bench: Bench) -> None:
    bench.service.script = [failing("rate-limited", wait=1000)]
    agent = await bench.start(AGENT, {**CONFIGURATION, "fallback": {"ai-service": "second"}})
    await ask(agent)
    bench.second.script = [failing()]
    assert answer_of(await ask(agent)) == "echo(hello)"
    assert len(bench.service.calls) == 2


async def test_an_answer_that_broke_off_unseen_is_asked_of_the_next_service(bench: Bench) -> None:
    bench.service.script = [failing(after="half")]
    assert answer_of(await ask(await bench.start(AGENT, CONFIGURATION))) == "echo(hello)"
    assert (len(bench.service.calls), len(bench.second.calls)) == (1, 1)


async def test_an_answer_that_broke_off_in_public_fails_its_record(bench: Bench) -> None:
    bench.service.script = [failing(after="half")]
    outcome = await ask(await bench.start(AGENT, {**CONFIGURATION, "stream-to-topic": "st"}))
    assert isinstance(outcome, ServiceError)
    assert outcome.retryable
    assert bench.second.calls == []
    assert len(bench.topics.sent["st"]) == 1


def test_the_plan_finds_mistakes_in_the_fallback() -> None:
    resources = {
        "local": Resource("local", "Local", "local-ai-configuration", {}),
        "claude": Resource("claude", "Claude", "anthropic-configuration", {"access-key": "k"}),
    }
    context = PlanContext(Agent("a", "ai-chat-completions"), Module("default", {}, {}, ()), resources)
    services = [("claude", None), ("local", "nope"), ("claude", "m")]
    findings = list(check_fallback(services, "m", "completions", context))
    assert [finding.path for finding in findings] == [("fallback", 1, "model"), ("fallback", 2)]
    assert "twice" in findings[1].message
