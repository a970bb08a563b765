"""Options that are refused when the application is planned."""

from __future__ import annotations

from typing import Any

import pytest

from langstream.agents.declaration import AGENT_TYPES
from langstream.configuration.validation import check

HTTP = {"url": "http://h/x", "output-field": "value.r"}
CHAIN = {"url": "http://h/chain/invoke", "output-field": "value.r"}


def problems(agent: str, options: dict[str, Any]) -> str:
    return "\n".join(
        str(problem) for problem in check(AGENT_TYPES.load(agent).configuration, options, subject=agent)[1]
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"url": "example.com/x"}, "https://example.com/path"),
        ({"url": "ftp://h/x"}, "https://example.com/path"),
        ({"url": "http://"}, "https://example.com/path"),
        ({"url": "http://h:port/x"}, "https://example.com/path"),
        ({"url": "http://h/{{ value.id }}"}, "no template"),
        ({"output-field": "foo"}, "'foo' is not a place"),
        ({"method": "GET IT"}, "HTTP method"),
        ({"headers": {"a b": "x"}}, "header"),
        ({"headers": {"Content-Length": "3"}}, "cannot be set"),
        ({"headers": {"A": "{{# value }}"}}, "not a valid template"),
        ({"query-string": {"a": "{{}}"}}, "not a valid template"),
        ({"body": "{{# a }}"}, "not a valid template"),
        ({"timeout-seconds": 0}, "greater than"),
        ({"composable": False}, "composable"),
        ({"query": {}}, "query-string"),
    ],
)
def test_what_http_request_refuses(changed: dict[str, Any], told: str) -> None:
    assert problems("http-request", HTTP) == ""
    assert told in problems("http-request", {**HTTP, **changed})


@pytest.mark.parametrize(("agent", "options"), [("http-request", HTTP), ("langserve-invoke", CHAIN)])
def test_how_many_requests_are_under_way_has_bounds(agent: str, options: dict[str, Any]) -> None:
    for wrong in (0, 10_001, "many"):
        assert "concurrency" in problems(agent, {**options, "concurrency": wrong})
    agent_type = AGENT_TYPES.load(agent)
    for written, used in (({}, 64), ({"concurrency": 500}, 500)):
        configuration = agent_type.configuration.model_validate({**options, **written})
        assert agent_type.create(configuration).batching.concurrency == used


@pytest.mark.parametrize("missing", ["url", "output-field"])
@pytest.mark.parametrize(("agent", "options"), [("http-request", HTTP), ("langserve-invoke", CHAIN)])
def test_address_and_output_field_are_required(agent: str, options: dict[str, Any], missing: str) -> None:
    assert missing in problems(agent, {name: value for name, value in options.items() if name != missing})


@pytest.mark.parametrize("url", ["http://h/chain", "http://h/invoke/", "http://h/?x=/invoke", "http://h/a/other"])
def test_a_chain_is_called_by_invoke_or_stream(url: str) -> None:
    assert "must end with /invoke" in problems("langserve-invoke", {**CHAIN, "url": url})


@pytest.mark.parametrize("url", ["http://h/c/invoke", "https://h/stream", "http://h/c/stream?token=t"])
def test_addresses_of_chains(url: str) -> None:
    assert problems("langserve-invoke", {**CHAIN, "url": url}) == ""


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"fields": [{"name": "a"}]}, "expression"),
        ({"fields": [{"name": "a", "expression": "bad ("}]}, "not a valid expression"),
        ({"stream-response-field": "foo"}, "'foo' is not a place"),
        ({"min-chunks-per-message": 0}, "greater than"),
    ],
)
def test_what_langserve_invoke_refuses(changed: dict[str, Any], told: str) -> None:
    assert told in problems("langserve-invoke", {**CHAIN, **changed})
