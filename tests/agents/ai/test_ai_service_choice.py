"""Which resource an agent uses, and what is refused when the application is planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from langstream.agents.ai import chat_completions, embeddings, text_completions
from langstream.agents.ai.reference import check_ai_service
from langstream.agents.declaration import Finding, PlanContext
from langstream.application.model import Agent, Module, Resource
from langstream.configuration.model import field_kinds
from langstream.errors import AgentFailed
from langstream.registry import Registry
from langstream.services.ai.selection import chosen, connect, preferred

OPENAI = Resource("brain", "Brain", "open-ai-configuration", {"access-key": "secret-key"})
SECOND = Resource("other", "Other", "open-ai-configuration", {"access-key": "k"})
LOCAL = Resource("local", "Local", "local-ai-configuration", {})
DATABASE = Resource("db", "Db", "datasource", {})
OLLAMA = Resource("ollama", "Ollama", "ollama-configuration", {"url": "http://x"})

ANTHROPIC = Resource("claude", "Claude", "anthropic-configuration", {"access-key": "k"})


def by_id(*resources: Resource) -> Mapping[str, Resource]:
    return {resource.id: resource for resource in resources}


def findings(
    name: str | None, *resources: Resource, model: str | None = "m", task: Any = "completions"
) -> list[Finding]:
    context = PlanContext(Agent("a", "ai-chat-completions"), Module("default", {}, {}, ()), by_id(*resources))
    return list(check_ai_service(name, model, task, context))


def test_the_named_resource_is_used() -> None:
    assert chosen(by_id(OPENAI, SECOND, LOCAL), "local") is LOCAL


def test_without_a_name_the_order_of_types_decides() -> None:
    assert preferred(by_id(LOCAL, OPENAI)) is OPENAI


def test_of_several_of_a_type_the_last_is_used() -> None:
    assert preferred(by_id(OPENAI, SECOND)) is SECOND


def test_other_resources_are_no_ai_services() -> None:
    assert preferred(by_id(DATABASE)) is None


@pytest.mark.parametrize(("name", "words"), [(None, "no resource of a type among"), ("nope", "no resource 'nope'")])
def test_without_a_resource_the_agent_does_not_start(name: str | None, words: str) -> None:
    with pytest.raises(AgentFailed, match=words):
        connect(by_id(DATABASE), name)


def test_a_resource_that_is_no_ai_service_cannot_be_connected() -> None:
    with pytest.raises(AgentFailed, match="no AI service"):
        connect(by_id(DATABASE), "db")


def test_a_connection_tells_what_it_passed_over() -> None:
    assert connect(by_id(OPENAI, LOCAL, DATABASE), None).others == ("local",)
    assert connect(by_id(OPENAI, LOCAL), "local").others == ()


def test_no_ai_resource_lists_the_types() -> None:
    (finding,) = findings(None, DATABASE)
    assert "open-ai-configuration" in finding.message
    assert "local-ai-configuration" in (finding.hint or "")


@pytest.fixture
def without_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that lacks a provider."""
    contains = Registry.__contains__
    monkeypatch.setattr(Registry, "__contains__", lambda self, name: name != OLLAMA.type and contains(self, name))


@pytest.mark.usefixtures("without_ollama")
def test_only_unsupported_ai_resources_are_named() -> None:
    (finding,) = findings(None, OLLAMA)
    assert "ollama-configuration" in finding.message


@pytest.mark.usefixtures("without_ollama")
def test_a_named_unsupported_resource_is_refused() -> None:
    (finding,) = findings("ollama", OLLAMA)
    assert finding.path == ("ai-service",)
    assert "does not support" in finding.message


def test_a_service_that_cannot_do_the_task_is_passed_over() -> None:
    assert preferred(by_id(ANTHROPIC, LOCAL), "embeddings") is LOCAL
    assert preferred(by_id(ANTHROPIC, LOCAL), "completions") is ANTHROPIC
    connected = connect(by_id(ANTHROPIC, LOCAL), None, "embeddings")
    assert (connected.resource_id, connected.others) == ("local", ())
    assert findings(None, ANTHROPIC, LOCAL, model=None, task="embeddings") == []


def test_a_named_service_that_cannot_do_the_task_is_refused() -> None:
    with pytest.raises(AgentFailed, match="has no embeddings"):
        connect(by_id(ANTHROPIC), "claude", "embeddings")
    (finding,) = findings("claude", ANTHROPIC, task="embeddings")
    assert finding.path == ("ai-service",)
    assert "has no embeddings" in finding.message


def test_services_none_of_which_can_do_the_task_are_named() -> None:
    with pytest.raises(AgentFailed, match="no resource of a type among open-ai"):
        connect(by_id(ANTHROPIC), None, "embeddings")
    (finding,) = findings(None, ANTHROPIC, task="embeddings")
    assert "(anthropic-configuration) have no embeddings" in finding.message
    assert "anthropic" not in (finding.hint or "")


def test_options_of_the_resource_are_checked() -> None:
    (finding,) = findings(None, Resource("brain", "Brain", "open-ai-configuration", {"url": "http://localhost:1"}))
    assert "access-key" in finding.message
    assert "brain" in finding.message


def test_what_the_planner_checks_itself_is_not_reported_twice() -> None:
    assert findings("nope", OPENAI) == []
    assert findings("db", DATABASE) == []
    assert findings("brain", Resource("brain", "Brain", "open-ai-configuration", {})) == []


def test_a_good_reference_has_no_findings() -> None:
    assert findings(None, OPENAI) == []
    assert findings("local", LOCAL, model="extractive-quotes") == []
    assert findings("local", LOCAL, model=None, task="embeddings") == []


@pytest.mark.parametrize(("task", "hint"), [("completions", "extractive-quotes"), ("embeddings", "all-MiniLM-L6-v2")])
def test_a_model_that_the_local_service_does_not_have_is_refused(task: str, hint: str) -> None:
    (finding,) = findings("local", LOCAL, model="gpt-4o", task=task)
    assert "no model 'gpt-4o'" in finding.message
    assert hint in (finding.hint or "")


@pytest.mark.parametrize("module", [chat_completions, text_completions, embeddings])
def test_every_agent_refers_to_ai_resources_by_kind(module: Any) -> None:
    kinds = {name: kind for _, name, kind in field_kinds(module.AGENT.configuration)}
    assert kinds["ai-service"].name == "resource"
    assert "open-ai-configuration" in kinds["ai-service"].of
    if module is not embeddings:
        assert kinds["stream-to-topic"].name == "topic"


@pytest.mark.parametrize("module", [chat_completions, text_completions, embeddings])
def test_the_examples_are_valid(module: Any) -> None:
    import yaml

    (entry,) = yaml.safe_load(module.AGENT.example)
    assert entry["type"] == module.AGENT.name
    module.AGENT.configuration.model_validate(entry["configuration"])
