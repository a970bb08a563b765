"""Where requests go, for OpenAI, Azure and compatible servers."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from langstream.services.ai.openai.configuration import OpenAIConfiguration
from langstream.services.ai.openai.endpoints import Endpoints, endpoints_of


def endpoints(**options: Any) -> Endpoints:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return endpoints_of(OpenAIConfiguration.model_validate({"access-key": "k", **named}))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, "https://api.openai.com/v1/chat/completions"),
        ("https://api.openai.com/", "https://api.openai.com/v1/chat/completions"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/chat/completions"),
        ("http://localhost:8000", "http://localhost:8000/v1/chat/completions"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1/chat/completions"),
        ("https://gateway.example/openai/api", "https://gateway.example/openai/api/chat/completions"),
    ],
)
def test_compatible_servers_get_their_own_path(url: str | None, expected: str) -> None:
    assert endpoints(url=url).url("chat/completions", "m") == expected


def test_azure_has_the_model_in_the_address() -> None:
    azure = endpoints(url="https://x.example/", provider="azure")
    assert azure.url("embeddings", "my model/1") == (
        "https://x.example/openai/deployments/my%20model%2F1/embeddings?api-version=2023-08-01-preview"
    )
    assert azure.headers == {"api-key": "k"}


def test_the_version_of_azure_can_be_chosen() -> None:
    azure = endpoints(url="https://x.example", provider="azure", api_version="2024-10-21")
    assert azure.url("completions", "m").endswith("?api-version=2024-10-21")


def test_an_address_at_azure_has_its_layout_whatever_the_provider() -> None:
    entra = endpoints(url="https://mine.openai.azure.com", provider="openai")
    assert "/openai/deployments/m/" in entra.url("completions", "m")
    assert entra.headers == {"Authorization": "Bearer k"}


def test_an_empty_key_sends_no_header() -> None:
    assert endpoints(access_key=" ", url="http://localhost:1").headers == {}


def test_neither_key_nor_headers_are_shown() -> None:
    configuration = OpenAIConfiguration.model_validate({"access-key": "top-secret"})
    assert "top-secret" not in repr(configuration)
    assert "top-secret" not in repr(endpoints_of(configuration))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "access-key"),
        ({"access-key": "k", "provider": "azure"}, "'url' is required"),
        ({"access-key": "k", "provider": "other"}, "provider"),
        ({"access-key": "k", "url": "api.example"}, "'url' must be an address"),
        ({"access-key": "k", "key": "x"}, "key"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        OpenAIConfiguration.model_validate(options)
