"""The declarations of the remote providers, as the reference and the planner read them."""

from __future__ import annotations

import pytest

from langstream.application.model import Resource
from langstream.configuration.options import options
from langstream.services.ai.contract import AI_RESOURCE_TYPES, AIProvider, AIService
from langstream.services.ai.remote import RemoteConfiguration
from langstream.services.ai.selection import AI_PROVIDERS, connect

LIMITS = ["max-attempts", "connect-timeout-seconds", "request-timeout-seconds", "idle-timeout-seconds"]
REMOTE = [name for name in AI_RESOURCE_TYPES if name != "local-ai-configuration"]


def provider(name: str) -> AIProvider:
    found = AI_PROVIDERS.load(name)
    assert isinstance(found, AIProvider)
    return found


@pytest.mark.parametrize("name", AI_RESOURCE_TYPES)
def test_every_type_has_its_provider(name: str) -> None:
    declared = provider(name)
    assert declared.resource_type == name
    assert declared.summary.endswith(".")
    assert declared.metrics_prefix.isidentifier()


CONFIGURATIONS: dict[str, dict[str, str]] = {
    "open-ai-configuration": {"access-key": "k"},
    "vertex-configuration": {"api-key": "k"},
    "hugging-face-configuration": {},
    "bedrock-configuration": {"api-key": "k"},
    "ollama-configuration": {"url": "http://x"},
    "anthropic-configuration": {"access-key": "k"},
    "local-ai-configuration": {},
}


@pytest.mark.parametrize("name", AI_RESOURCE_TYPES)
def test_every_provider_connects(name: str) -> None:
    connected = connect({"r": Resource("r", "R", name, CONFIGURATIONS[name])}, None)
    assert connected.provider is provider(name)
    assert isinstance(connected.service, AIService)


@pytest.mark.parametrize("name", REMOTE)
def test_limits_are_the_last_options(name: str) -> None:
    names = [option.name for option in options(provider(name).configuration) if "." not in option.name]
    assert names[-5:] == [*LIMITS, "prices"]
    assert issubclass(provider(name).configuration, RemoteConfiguration)


@pytest.mark.parametrize("name", REMOTE)
def test_every_option_is_described(name: str) -> None:
    assert all(option.description for option in options(provider(name).configuration))


@pytest.mark.parametrize("name", REMOTE)
def test_credentials_are_secrets_and_not_shown(name: str) -> None:
    configuration = provider(name).configuration
    credentials = ("access_key", "secret_key", "session_token", "api_key", "token", "service_account_json")
    found = {field: info for field, info in configuration.model_fields.items() if field in credentials}
    assert found
    for field, info in found.items():
        assert info.repr is False, field
        described = {option.name: option.type for option in options(configuration)}
        assert described[str(info.alias)] == "secret", field


def test_limits_become_timeouts_and_a_policy() -> None:
    limits = RemoteConfiguration.model_validate({"max-attempts": 7, "idle-timeout-seconds": "3"})
    assert limits.retries.attempts == 7
    assert limits.timeouts.idle_seconds == 3.0
